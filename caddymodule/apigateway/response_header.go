package apigateway

import (
	"net/http"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/http/httpguts"
)

// setHeaders sets the headers and cookies of a response in h.
//
// Recorded from REST APIs: of a header in both, the values of multiValueHeaders
// come first, and a value that both have comes once.
func (f *fields) setHeaders(h http.Header) error {
	target := h
	if !f.multiValueHeaders.isNull() {
		target = http.Header{}
	}
	connection, err := f.single(target)
	if err != nil {
		return err
	}
	if !f.multiValueHeaders.isNull() {
		more, err := f.multiple(target)
		if err != nil {
			return err
		}
		connection = append(connection, more...)
		for name, lines := range target {
			h[name] = lines
		}
	}
	for _, value := range connection {
		for name := range strings.SplitSeq(value, ",") {
			h.Del(strings.Trim(name, " \t"))
		}
	}
	return f.addCookies(h)
}

// single sets the field headers in h, and returns the value of a Connection
// header in it, which does not pass.
func (f *fields) single(h http.Header) (connection []string, err error) {
	if f.headers.isNull() {
		return nil, nil
	}
	if f.headers.kind() != '{' {
		return nil, malformed("headers is %s, want an object", excerpt(f.headers.text))
	}
	err = f.headers.members(func(name []byte, v value) error {
		key, err := headerName(name)
		if err != nil || v.isNull() {
			return err
		}
		line, err := headerLine(name, v)
		if err != nil {
			return err
		}
		switch {
		case key == "Connection":
			connection = append(connection, line)
		case !isGatewaysOwn(key):
			h[key] = []string{line}
		}
		return nil
	})
	return connection, err
}

// multiple merges the field multiValueHeaders into h, which has those of headers,
// and returns the values of a Connection header in it.
func (f *fields) multiple(h http.Header) (connection []string, err error) {
	if f.multiValueHeaders.kind() != '{' {
		return nil, malformed("multiValueHeaders is %s, want an object of arrays", excerpt(f.multiValueHeaders.text))
	}
	lists := http.Header{}
	err = f.multiValueHeaders.members(func(name []byte, v value) error {
		key, err := headerName(name)
		if err != nil || v.isNull() {
			return err
		}
		if v.kind() != '[' {
			return malformed("multiValueHeaders: %s is %s, want an array of strings", excerpt(name), excerpt(v.text))
		}
		return v.elements(func(v value) error {
			line, err := headerLine(name, v)
			if err != nil {
				return err
			}
			lists[key] = append(lists[key], line)
			return nil
		})
	})
	for key, lines := range lists {
		for _, line := range h[key] {
			if !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
		switch {
		case key == "Connection":
			connection = lines
		case !isGatewaysOwn(key):
			h[key] = lines
		}
	}
	return connection, err
}

// isGatewaysOwn tells whether a response's header is the server's to set. A function
// that could set them would speak for the server, or pass for another request.
func isGatewaysOwn(name string) bool {
	switch name {
	case "Content-Length", "Date", "Server", "X-Amzn-Requestid":
		return true
	}
	return isHopByHop(name)
}

// addCookies adds a Set-Cookie header to h for each of the field cookies.
func (f *fields) addCookies(h http.Header) error {
	if f.cookies.isNull() {
		return nil
	}
	if f.cookies.kind() != '[' {
		return malformed("cookies is %s, want an array of strings", excerpt(f.cookies.text))
	}
	return f.cookies.elements(func(v value) error {
		if v.kind() != '"' {
			return malformed("cookies: %s in it, want strings", excerpt(v.text))
		}
		line, err := headerLine([]byte("cookies"), v)
		if err == nil {
			h["Set-Cookie"] = append(h["Set-Cookie"], line)
		}
		return err
	})
}

// headerName returns the canonical form of a header's name.
func headerName(name []byte) (string, error) {
	switch string(name) { // the most frequent ones without an allocation
	case "content-type":
		return "Content-Type", nil
	case "cache-control":
		return "Cache-Control", nil
	}
	s := string(name)
	if !httpguts.ValidHeaderFieldName(s) {
		return "", malformed("header %s: the name is none", excerpt(name))
	}
	return http.CanonicalHeaderKey(s), nil
}

// headerLine returns the value of a header, numbers and booleans as they are
// written in JSON.
func headerLine(name []byte, v value) (string, error) {
	var line string
	switch v.kind() {
	case '"':
		line = string(v.str())
	case '{', '[', 'n':
		return "", malformed("header %s is %s, want a string", excerpt(name), excerpt(v.text))
	default:
		line = string(v.text)
	}
	if !httpguts.ValidHeaderFieldValue(line) {
		return "", malformed("header %s has a control character in its value", excerpt(name))
	}
	return line, nil
}

// excerpt is the beginning of text, for one line of a log.
func excerpt(text []byte) string {
	const most = 60
	s := string(text)
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}
