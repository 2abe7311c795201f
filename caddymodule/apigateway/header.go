package apigateway

import (
	"net/http"
	"strconv"
	"strings"
)

// isHopByHop tells whether a header, named in canonical form, is about one
// connection only and so never passes the gateway, in either direction.
// https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
func isHopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return strings.HasPrefix(name, "Proxy-")
}

// names tells whether the values of a Connection header name the header.
func names(connection []string, header string) bool {
	for _, value := range connection {
		for token := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.Trim(token, " \t"), header) {
				return true
			}
		}
	}
	return false
}

// requestHeaders are the headers of one request as its event has them: what the
// client sent, but for the gateway's own.
type requestHeaders struct {
	header   http.Header
	host     string
	bodySize int
	v1       bool
	cookies  bool // cookies are in the headers too, as in events of function URLs

	sourceIP, port, scheme string // X-Forwarded-For, -Port, -Proto
}

// forward sets what the function learns of the client's connection. port is the port of the
// Host header.
func (h *requestHeaders) forward(r *http.Request, c *Context, port string) {
	h.sourceIP, h.port, h.scheme = c.SourceIP, port, "http"
	if r.TLS != nil {
		h.scheme = "https"
	}
	if c.TrustedProxy {
		setKnown(&h.scheme, r.Header["X-Forwarded-Proto"])
		setKnown(&h.port, r.Header["X-Forwarded-Port"])
	}
	switch {
	case h.port != "":
	case h.scheme == "https":
		h.port = "443"
	default:
		h.port = "80"
	}
}

func setKnown(field *string, values []string) {
	if len(values) > 0 && values[0] != "" {
		*field = values[0]
	}
}

// skips tells whether a header of the request is not passed on as it came.
func (h *requestHeaders) skips(name string) bool {
	switch name {
	case "Content-Length", "Host", "X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto":
		return true // appendObject has them
	case "Cookie":
		if !h.v1 && !h.cookies {
			return true // appendCookies has them
		}
	}
	if isHopByHop(name) {
		return true
	}
	connection := h.header["Connection"]
	return len(connection) > 0 && names(connection, name)
}

// A form is how the lines of one header become a JSON value.
type form uint8

const (
	joined form = iota // a string, joined by commas
	last               // a string, the last of them
	lists              // an array of strings
)

// appendObject appends an object with the headers that the function gets.
func (h *requestHeaders) appendObject(dst []byte, f form) []byte {
	dst = h.appendOwn(append(dst, '{'), "Host", h.host, f)
	if h.sourceIP != "" {
		dst = h.appendOwn(append(dst, ','), "X-Forwarded-For", h.sourceIP, f)
	}
	dst = h.appendOwn(append(dst, ','), "X-Forwarded-Port", h.port, f)
	dst = h.appendOwn(append(dst, ','), "X-Forwarded-Proto", h.scheme, f)
	// Recorded from AWS: format 2.0 tells the length, 1.0 does not. It is the
	// gateway's own because a chunked body has none, and frameworks take a body
	// without a length for no body.
	if !h.v1 && (h.bodySize > 0 || h.header["Content-Length"] != nil) {
		dst = append(dst, `,"content-length":"`...)
		dst = append(strconv.AppendInt(dst, int64(h.bodySize), 10), '"')
	}
	for name, lines := range h.header {
		if len(lines) > 0 && !h.skips(name) {
			dst = h.appendName(append(dst, ','), name)
			dst = appendLines(dst, lines, f)
		}
	}
	return append(dst, '}')
}

// appendOwn appends a header of the gateway's own.
func (h *requestHeaders) appendOwn(dst []byte, name, line string, f form) []byte {
	dst = h.appendName(dst, name)
	if f != lists {
		return appendString(dst, line)
	}
	return append(appendString(append(dst, '['), line), ']')
}

func appendLines(dst []byte, lines []string, f form) []byte {
	switch {
	case f == joined && len(lines) > 1:
		return appendString(dst, strings.Join(lines, ","))
	case f != lists:
		return appendString(dst, lines[len(lines)-1])
	}
	separator := byte('[')
	for _, line := range lines {
		dst = appendString(append(dst, separator), line)
		separator = ','
	}
	return append(dst, ']')
}

// appendName appends a header's name and a colon: in lower case in format 2.0,
// in 1.0 in canonical form, as Go does not tell how the client wrote it.
func (h *requestHeaders) appendName(dst []byte, name string) []byte {
	start := len(dst)
	dst = appendString(dst, name)
	if !h.v1 {
		for i := start; i < len(dst); i++ {
			if b := dst[i]; 'A' <= b && b <= 'Z' {
				dst[i] = b + 'a' - 'A'
			}
		}
	}
	return append(dst, ':')
}

// appendCookies appends `,"cookies":[...]` with each cookie of the Cookie header,
// nothing if there are none.
func (h *requestHeaders) appendCookies(dst []byte) []byte {
	lines := h.header["Cookie"]
	if len(lines) == 0 || names(h.header["Connection"], "Cookie") {
		return dst
	}
	text := `,"cookies":[`
	for _, line := range lines {
		for cookie := range strings.SplitSeq(line, ";") {
			if cookie = strings.Trim(cookie, " \t"); cookie != "" {
				dst = appendQuoted(dst, text, cookie)
				text = ","
			}
		}
	}
	if text == "," {
		dst = append(dst, ']')
	}
	return dst
}

// splitHost splits the Host header into the name, in brackets if it is an IPv6
// address, and the port.
func splitHost(host string) (name, port string) {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.IndexByte(host[i:], ']') < 0 {
		return host[:i], host[i+1:]
	}
	return host, ""
}

// domainPrefix is the first label of a domain name.
func domainPrefix(domain string) string {
	prefix, _, _ := strings.Cut(domain, ".")
	return prefix
}
