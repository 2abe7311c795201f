package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A signature is a request's own description of how it was signed.
type signature struct {
	keyID, day, region, service string // the scope of the credential

	headers []string // that are signed, lower-case
	mac     [sha256.Size]byte
	time    string // as in timeFormat

	token     string // of a session
	presigned bool
	expires   int    // seconds, of a presigned request
	payload   string // X-Amz-Content-Sha256 of a presigned request's query
}

// parse finds the signature in the header or the query.
func parse(r *http.Request) (signature, error) {
	header := r.Header["Authorization"]
	presigned := strings.Contains(r.URL.RawQuery, "X-Amz-")
	var query url.Values
	if presigned {
		query = r.URL.Query()
		presigned = query.Has("X-Amz-Algorithm") || query.Has("X-Amz-Signature")
	}
	switch {
	case len(header) > 1 || len(header) == 1 && presigned:
		return signature{}, incomplete("Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter or the Authorization header should be specified")
	case len(header) == 1 && header[0] != "":
		return parseHeader(r, header[0])
	case presigned:
		return parseQuery(query)
	}
	return signature{}, errMissing
}

func parseHeader(r *http.Request, header string) (s signature, err error) {
	if len(header) > maxHeader {
		return s, incomplete("The Authorization header is too long.")
	}
	scheme, rest, _ := strings.Cut(header, " ")
	if scheme != algorithm {
		return s, incomplete("Unsupported AWS 'algorithm': '" + printable(scheme) + "'. Sign requests by " + algorithm + ".")
	}
	var credential, headers, mac string
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Credential":
			credential = value
		case "SignedHeaders":
			headers = value
		case "Signature":
			mac = value
		}
	}
	var missing strings.Builder
	for _, p := range [...]struct{ name, value string }{{"Credential", credential}, {"Signature", mac}, {"SignedHeaders", headers}} {
		if p.value == "" {
			missing.WriteString("Authorization header requires '" + p.name + "' parameter. ")
		}
	}
	if s.time, err = headerTime(r); err != nil {
		missing.WriteString(err.Error())
	}
	if missing.Len() > 0 {
		return s, incomplete(strings.TrimSpace(missing.String()))
	}
	s.token = r.Header.Get(tokenHeader)
	return s, s.take(credential, headers, mac)
}

// headerTime is when a request says it was signed.
func headerTime(r *http.Request) (string, error) {
	if at := r.Header.Get("X-Amz-Date"); at != "" {
		if len(at) != len(timeFormat) {
			return "", incomplete("Date must be in ISO-8601 'basic format'. ")
		}
		return at, nil
	}
	if at, err := http.ParseTime(r.Header.Get("Date")); err == nil {
		return at.UTC().Format(timeFormat), nil
	}
	if at, err := time.Parse(timeFormat, r.Header.Get("Date")); err == nil {
		return at.Format(timeFormat), nil
	}
	return "", incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
}

func parseQuery(query url.Values) (s signature, err error) {
	if got := query.Get("X-Amz-Algorithm"); got != algorithm {
		return s, incomplete("Unsupported AWS 'algorithm': '" + printable(got) + "'. Sign requests by " + algorithm + ".")
	}
	var missing strings.Builder
	for _, name := range [...]string{"X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date", "X-Amz-Expires"} {
		switch n := len(query[name]); {
		case n > 1:
			return s, incomplete("AWS query-string parameter '" + name + "' is there twice.")
		case query.Get(name) == "":
			missing.WriteString("AWS query-string parameters must include '" + name + "'. ")
		}
	}
	if missing.Len() > 0 {
		return s, incomplete(strings.TrimSpace(missing.String()))
	}
	s.presigned = true
	s.time = query.Get("X-Amz-Date")
	s.payload = query.Get(hashHeader)
	s.token = query.Get(tokenHeader)
	if len(s.time) != len(timeFormat) {
		return s, incomplete("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
	}
	if s.expires, err = strconv.Atoi(query.Get("X-Amz-Expires")); err != nil || s.expires < 1 || s.expires > maxPresign {
		return s, incomplete("X-Amz-Expires must be a number of seconds from 1 to " + strconv.Itoa(maxPresign) + ".")
	}
	return s, s.take(query.Get("X-Amz-Credential"), query.Get("X-Amz-SignedHeaders"), query.Get("X-Amz-Signature"))
}

// take reads the three parts that both forms have.
func (s *signature) take(credential, headers, mac string) error {
	scope := strings.Split(credential, "/")
	if len(scope) != 5 || scope[4] != terminator {
		return incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/" + terminator + ", got '" + printable(credential) + "'")
	}
	s.keyID, s.day, s.region, s.service = scope[0], scope[1], scope[2], scope[3]
	s.headers = strings.Split(headers, ";")
	if len(s.headers) > maxSigned {
		return incomplete("There are too many SignedHeaders.")
	}
	for _, name := range s.headers {
		if name == "" || strings.ToLower(name) != name {
			return incomplete("SignedHeaders must be header names in lower case, got '" + printable(headers) + "'")
		}
	}
	if len(mac) != hex.EncodedLen(len(s.mac)) {
		return mismatch(nil, nil)
	}
	if _, err := hex.Decode(s.mac[:], []byte(mac)); err != nil {
		return mismatch(nil, nil)
	}
	return nil
}

// printable makes what a client sent fit for an answer.
func printable(text string) string {
	const most = 200
	if len(text) > most {
		text = text[:most] + "..."
	}
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, text)
}
