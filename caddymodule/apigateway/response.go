package apigateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"unicode/utf8"
)

// ErrMalformedResponse says that a function's response cannot become an HTTP response. The
// errors that wrap it tell the developer what is wrong with it; the client gets 502 and
// API Gateway's {"message":"Internal Server Error"}.
var ErrMalformedResponse = errors.New("malformed response")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrMalformedResponse, fmt.Errorf(format, args...))
}

// fields are the known fields of a response. Of a field that comes twice the
// last counts.
type fields struct {
	statusCode, headers, multiValueHeaders, cookies, body, isBase64Encoded value

	unknown []byte // name of a field that is none of these
}

// DecodeResponse makes an HTTP response of a function's response payload: its
// headers are set in h, beside what is there already. The body may be part of
// payload, which is overwritten. Content-Length and what concerns one connection
// only are not taken over; the server sets them.
//
// With format 2.0, JSON that is not an object with a statusCode is the body of a
// 200 of type application/json, a string without its quotes. Recorded from function
// URLs: they write such JSON anew, without space, and take a body that is an object,
// a list or a number for JSON.
//
// Every error wraps ErrMalformedResponse; h may then have been changed in part.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html#http-api-develop-integrations-lambda.response
// and, of format 1.0,
// https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html#api-gateway-simple-proxy-for-lambda-output-format
func (rt *Route) DecodeResponse(payload []byte, h http.Header) (status int, body []byte, err error) {
	f, whole, err := parseFields(payload)
	if err != nil {
		return 0, nil, err
	}
	switch {
	case rt.v1:
		// Recorded from REST APIs: every field may be left out, and there may be
		// no others.
		if whole.kind() != '{' {
			return 0, nil, malformed(`want an object with statusCode, headers and body`)
		}
		if f.unknown != nil || !f.cookies.isNull() {
			if f.unknown == nil {
				f.unknown = []byte("cookies")
			}
			return 0, nil, malformed(`field %s is unknown to payload format 1.0`, excerpt(f.unknown))
		}
	case f.statusCode.isNull():
		setDefaultType(h, "application/json")
		if whole.kind() == '"' {
			return http.StatusOK, whole.takeString(), nil
		}
		if rt.FunctionURL {
			return http.StatusOK, whole.takeCompact(), nil
		}
		return http.StatusOK, whole.text, nil
	}
	if status, err = f.status(); err != nil {
		return 0, nil, err
	}
	if err = f.setHeaders(h); err != nil {
		return 0, nil, err
	}
	if body, err = f.takeBody(rt.FunctionURL); err != nil {
		return 0, nil, err
	}
	if status == http.StatusNoContent || status == http.StatusNotModified {
		return status, nil, nil
	}
	setDefaultType(h, "application/json")
	return status, body, nil
}

// DecodePrelude makes status and headers of the JSON that precedes a streamed
// response of type application/vnd.awslambda.http-integration-response. It works
// as DecodeResponse does, but a missing statusCode is 200, and the type
// application/octet-stream.
//
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
func (rt *Route) DecodePrelude(prelude []byte, h http.Header) (status int, err error) {
	f, whole, err := parseFields(prelude)
	if err != nil {
		return 0, err
	}
	if whole.kind() != '{' {
		return 0, malformed(`prelude: want an object with statusCode and headers`)
	}
	if status, err = f.status(); err != nil {
		return 0, err
	}
	if err = f.setHeaders(h); err != nil {
		return 0, err
	}
	if status != http.StatusNoContent && status != http.StatusNotModified {
		setDefaultType(h, "application/octet-stream")
	}
	return status, nil
}

func setDefaultType(h http.Header, contentType string) {
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = []string{contentType}
	}
}

// parseFields checks a payload; if it is an object, its fields are in f.
func parseFields(payload []byte) (f fields, whole value, err error) {
	if !utf8.Valid(payload) {
		return f, value{}, malformed("it is not UTF-8")
	}
	s := scanner{data: payload}
	if s.space(); s.pos == len(payload) || payload[s.pos] != '{' {
		whole, err = document(payload)
	} else if whole, err = s.object(0, f.set); err == nil {
		if s.space(); s.pos < len(payload) {
			err = s.unexpected("after the value")
		}
	}
	if err != nil {
		return f, value{}, malformed("no JSON: %w", err)
	}
	return f, whole, nil
}

func (f *fields) set(name []byte, v value) error {
	switch string(name) {
	case "statusCode":
		f.statusCode = v
	case "headers":
		f.headers = v
	case "multiValueHeaders":
		f.multiValueHeaders = v
	case "cookies":
		f.cookies = v
	case "body":
		f.body = v
	case "isBase64Encoded":
		f.isBase64Encoded = v
	default:
		f.unknown = name
	}
	return nil
}

// status reads the statusCode, which may be a string too, as recorded from AWS.
// It is 200 if there is none.
func (f *fields) status() (int, error) {
	v := f.statusCode
	if v.isNull() {
		return http.StatusOK, nil
	}
	digits := v.text
	if v.kind() == '"' {
		digits = v.str()
	}
	if len(digits) != 3 || digits[0] < '2' || digits[0] > '5' || !isDigit(digits[1]) || !isDigit(digits[2]) {
		return 0, malformed("statusCode is %s, want an integer from 200 to 599", excerpt(v.text))
	}
	return int(digits[0]-'0')*100 + int(digits[1]-'0')*10 + int(digits[2]-'0'), nil
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// takeBody decodes the body, in place where it can. With anyJSON a body may be
// another value than a string.
func (f *fields) takeBody(anyJSON bool) ([]byte, error) {
	isBase64 := false
	switch f.isBase64Encoded.kind() {
	case 't':
		isBase64 = true
	case 'f', 'n', 0:
	default:
		return nil, malformed("isBase64Encoded is %s, want true or false", excerpt(f.isBase64Encoded.text))
	}
	switch f.body.kind() {
	case 'n', 0:
		return nil, nil
	case '"':
	default:
		if anyJSON {
			return f.body.takeCompact(), nil
		}
		return nil, malformed("body is %s, want a string: use JSON.stringify or the like", excerpt(f.body.text))
	}
	body := f.body.takeString()
	if !isBase64 {
		return body, nil
	}
	encoding := base64.StdEncoding
	if bytes.IndexByte(body, '=') < 0 {
		encoding = base64.RawStdEncoding // AWS does not insist on padding
	}
	decoded, err := encoding.AppendDecode(nil, body)
	if err != nil {
		return nil, malformed("isBase64Encoded is true, but body is no base64: %w", err)
	}
	return decoded, nil
}

// takeCompact is the text without the space between its parts, and overwrites the
// scanned text.
func (v value) takeCompact() []byte {
	b := bytes.NewBuffer(v.text[:0])
	if err := json.Compact(b, v.text); err != nil {
		panic(err) // it has been scanned
	}
	return b.Bytes()
}

// takeString is str, but overwrites the scanned text instead of copying it.
func (v value) takeString() []byte {
	inner := v.text[1 : len(v.text)-1]
	if !v.escaped {
		return inner
	}
	return unescapeString(inner[:0], inner)
}
