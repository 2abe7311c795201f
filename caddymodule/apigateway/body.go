package apigateway

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// appendBody appends the body as a JSON string, in base64 if isBase64.
func (rt *Route) appendBody(dst []byte, header http.Header, body []byte) (_ []byte, isBase64 bool) {
	if !rt.isText(header, body) {
		dst = slices.Grow(dst, base64.StdEncoding.EncodedLen(len(body))+len(`"",`))
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, body)
		return append(dst, '"'), true
	}
	return appendValid(slices.Grow(dst, len(body)+len(body)/8), body), false
}

// isText reports whether the function gets a body unencoded. In format 2.0 these are the types
// that HTTP APIs take for text, and others with JSON or XML in their name. On AWS a form is
// not text, and a body without a type is binary. In format 1.0 both are text.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-payload-encodings.html
func (rt *Route) isText(header http.Header, body []byte) bool {
	if encoding := header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return false
	}
	mediaType, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	mediaType = strings.ToLower(strings.Trim(mediaType, " \t"))
	if mediaType == "" && rt.v1 {
		mediaType = "application/json"
	}
	if mediaType == "application/x-www-form-urlencoded" && !rt.v1 {
		return false
	}
	return isTextType(mediaType) && !rt.isBinaryType(mediaType) && utf8.Valid(body)
}

func isTextType(mediaType string) bool {
	switch mediaType {
	case "application/json", "application/xml", "application/javascript", "application/x-www-form-urlencoded",
		"application/ecmascript", "application/x-javascript", "application/graphql", "application/x-ndjson":
		return true
	}
	return strings.HasPrefix(mediaType, "text/") || strings.HasSuffix(mediaType, "+json") || strings.HasSuffix(mediaType, "+xml")
}

// isBinaryType tells whether BinaryTypes name the type.
func (rt *Route) isBinaryType(mediaType string) bool {
	for _, t := range rt.binary {
		if t == mediaType || t == "*/*" {
			return true
		}
		if family, ok := strings.CutSuffix(t, "*"); ok && strings.HasPrefix(mediaType, family) {
			return true
		}
	}
	return false
}

// EncodedLen is how long a body is as the JSON string of an event.
func (rt *Route) EncodedLen(header http.Header, body []byte) int {
	if !rt.isText(header, body) {
		return base64.StdEncoding.EncodedLen(len(body)) + len(`""`)
	}
	size := len(body) + len(`""`)
	for _, b := range body {
		switch {
		case b == '"' || b == '\\' || b == '\n' || b == '\r' || b == '\t':
			size++
		case b < ' ':
			size += len(`\u0000`) - 1
		}
	}
	return size
}
