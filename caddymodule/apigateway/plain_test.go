package apigateway_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"
)

type plain struct {
	status int
	header http.Header
	body   string
}

// plainResponse is DecodeResponse written for clarity alone.
func plainResponse(payload []byte, v1 bool) (plain, error) {
	p := plain{status: 200, header: http.Header{}}
	if !utf8.Valid(payload) || !json.Valid(payload) {
		return p, errors.New("no JSON")
	}
	var object map[string]json.RawMessage
	isObject := json.Unmarshal(payload, &object) == nil && object != nil
	for name, v := range object {
		if string(v) == "null" {
			object[name] = nil
		}
	}
	if v1 {
		if !isObject {
			return p, errors.New("no object")
		}
		for name := range object {
			if !slices.Contains([]string{"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}, name) && (name != "cookies" || object[name] != nil) {
				return p, errors.New("unknown field")
			}
		}
	} else if object["statusCode"] == nil {
		p.header.Set("Content-Type", "application/json")
		p.body = string(bytes.Trim(payload, " \t\r\n"))
		if p.body[0] == '"' {
			return p, json.Unmarshal(payload, &p.body)
		}
		return p, nil
	}
	if v := object["statusCode"]; v != nil {
		text := string(v)
		if v[0] == '"' {
			_ = json.Unmarshal(v, &text)
		}
		if !regexp.MustCompile(`^[2-5][0-9][0-9]$`).MatchString(text) {
			return p, errors.New("status")
		}
		_, _ = fmt.Sscan(text, &p.status)
	}
	if err := p.headers(object); err != nil {
		return p, err
	}
	var isBase64 bool
	if v := object["isBase64Encoded"]; v != nil && json.Unmarshal(v, &isBase64) != nil {
		return p, errors.New("isBase64Encoded")
	}
	if v := object["body"]; v != nil && json.Unmarshal(v, &p.body) != nil {
		return p, errors.New("body")
	}
	if isBase64 {
		decoded, err := base64.StdEncoding.DecodeString(p.body)
		if err != nil && !strings.Contains(p.body, "=") {
			decoded, err = base64.RawStdEncoding.DecodeString(p.body)
		}
		if err != nil {
			return p, err
		}
		p.body = string(decoded)
	}
	if p.status == 204 || p.status == 304 {
		p.body = ""
	} else if p.header["Content-Type"] == nil {
		p.header.Set("Content-Type", "application/json")
	}
	return p, nil
}

func (p *plain) headers(object map[string]json.RawMessage) error {
	single, multiple := http.Header{}, http.Header{}
	err := inOrder(object["headers"], func(name string, v json.RawMessage) error {
		line, err := scalar(name, v)
		single[http.CanonicalHeaderKey(name)] = []string{line}
		return err
	})
	if err != nil {
		return err
	}
	err = inOrder(object["multiValueHeaders"], func(name string, v json.RawMessage) error {
		var lines []json.RawMessage
		if json.Unmarshal(v, &lines) != nil {
			return errors.New("no array")
		}
		for _, v := range lines {
			line, err := scalar(name, v)
			if err != nil {
				return err
			}
			multiple.Add(name, line)
		}
		return nil
	})
	if err != nil {
		return err
	}
	p.header = multiple
	for name, lines := range single {
		if !slices.Contains(p.header[name], lines[0]) {
			p.header[name] = append(p.header[name], lines[0])
		}
	}
	for _, line := range p.header["Connection"] {
		for _, name := range strings.Split(line, ",") {
			p.header.Del(strings.Trim(name, " \t"))
		}
	}
	for name := range p.header {
		if slices.Contains([]string{"Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length"}, name) || strings.HasPrefix(name, "Proxy-") {
			delete(p.header, name)
		}
	}
	var cookies []*string
	if v := object["cookies"]; v != nil && json.Unmarshal(v, &cookies) != nil {
		return errors.New("cookies")
	}
	for _, cookie := range cookies {
		if cookie == nil || !httpguts.ValidHeaderFieldValue(*cookie) {
			return errors.New("cookie")
		}
		p.header.Add("Set-Cookie", *cookie)
	}
	return nil
}

// inOrder calls member for each member of an object that is not null.
func inOrder(object json.RawMessage, member func(name string, v json.RawMessage) error) error {
	if object == nil {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(object))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return errors.New("no object")
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		var v json.RawMessage
		if err := decoder.Decode(&v); err != nil {
			return err
		}
		if !httpguts.ValidHeaderFieldName(name.(string)) {
			return errors.New("name")
		}
		if string(v) == "null" {
			continue
		}
		if err := member(name.(string), v); err != nil {
			return err
		}
	}
	return nil
}

func scalar(name string, v json.RawMessage) (string, error) {
	line := string(v)
	switch v[0] {
	case '"':
		_ = json.Unmarshal(v, &line)
	case '{', '[', 'n':
		return "", errors.New("no scalar in " + name)
	}
	if !httpguts.ValidHeaderFieldValue(line) {
		return "", errors.New("line of " + name)
	}
	return line, nil
}
