package console

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
)

// passed are the headers of a call that its handler gets. All others, the cookie above all, stay
// here.
var passed = []string{
	"Accept", "Content-Type", "X-Amz-Client-Context", "X-Amz-Invocation-Type", "X-Amz-Log-Type", "X-Amz-Target",
}

// call has AWS's APIs answer a call of the page, as the key. The path is call/SERVICE/ and then
// that of AWS's request.
func (h *Handler) call(w http.ResponseWriter, r *http.Request, key *sigv4.Key) {
	// The path as it was escaped: names may have a slash in them.
	_, escaped, _ := strings.Cut(r.URL.EscapedPath(), own+"call/")
	service, path, found := strings.Cut(escaped, "/")
	if !found || !isService(service) {
		refuse(w, http.StatusNotFound, "a call is call/SERVICE/ and a path")
		return
	}
	plain, err := url.PathUnescape("/" + path)
	if err != nil {
		refuse(w, http.StatusBadRequest, "the path is not escaped rightly")
		return
	}
	inner := moved(r.WithContext(sigv4.Insider(r.Context(), key)), plain, "/"+path)
	inner.Header = make(http.Header)
	for _, name := range passed {
		if values := r.Header[name]; len(values) > 0 {
			inner.Header[name] = values
		}
	}
	// It says which service the call is for. The context says who asks.
	inner.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+key.ID+"/"+time.Now().UTC().Format("20060102")+"/"+h.Region+"/"+service+
		"/aws4_request, SignedHeaders=host, Signature=")
	if !h.Call(w, inner) {
		refuse(w, http.StatusNotFound, "this server has no such call of "+service)
	}
}

// isService reports whether a text may be the name of a service.
func isService(name string) bool {
	return name != "" && len(name) <= 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// moved is a request for another path.
func moved(r *http.Request, path, escaped string) *http.Request {
	moved := *r
	at := *r.URL
	at.Path, at.RawPath = path, escaped
	moved.URL = &at
	moved.RequestURI = at.RequestURI()
	return &moved
}
