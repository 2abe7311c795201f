package awsapi

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
)

// The query protocol: a request is a form that names its Action, an answer is XML.
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html

// action is the operation that a request of the query protocol names, and its form.
func (s *Service) action(r *http.Request, body []byte) (route model.Route, form url.Values, err error) {
	text := string(body)
	if r.Method == http.MethodGet {
		text = r.URL.RawQuery
	}
	if form, err = url.ParseQuery(text); err != nil {
		return route, nil, &Exception{Name: "MalformedQueryString", Message: "The request is no form: " + err.Error(), Status: http.StatusNotFound}
	}
	name, version := form.Get("Action"), form.Get("Version")
	if name == "" {
		return route, nil, &Exception{Name: "MissingAction", Message: "The request is missing an Action"}
	}
	route, known := s.Model.Operation(name)
	if !known || version != "" && version != s.Model.Version {
		return route, nil, &Exception{Name: "InvalidAction", Message: fmt.Sprintf("Could not find operation %.64s for version %.32s", name, version)}
	}
	return route, form, nil
}

// queryNames are the names that the query protocol has for errors that are common to all
// services.
// https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
var queryNames = map[string]string{
	"MissingAuthenticationTokenException": "MissingAuthenticationToken",
	"UnrecognizedClientException":         "InvalidClientTokenId",
	"InvalidSignatureException":           "SignatureDoesNotMatch",
	"IncompleteSignatureException":        "IncompleteSignature",
	"ExpiredTokenException":               "ExpiredToken",
	"AccessDeniedException":               "AccessDenied",
	"TooManyRequestsException":            "Throttling",
	"ServiceUnavailableException":         "ServiceUnavailable",
	"RequestEntityTooLargeException":      "RequestEntityTooLarge",
}

// code is the name of an exception in the query protocol.
func (s *Service) code(name string) string {
	known, _ := s.Model.Exception(name)
	return cmp.Or(known.Code, name)
}

// queryError is the body of an error.
func (s *Service) queryError(x *Exception, status int, id string) []byte {
	kind := "Sender"
	if status >= http.StatusInternalServerError {
		kind = "Receiver"
	}
	body, err := xml.Marshal(struct {
		XMLName   xml.Name
		Type      string `xml:"Error>Type"`
		Code      string `xml:"Error>Code"`
		Message   string `xml:"Error>Message"`
		RequestID string `xml:"RequestId"`
	}{xml.Name{Space: s.Model.Namespace, Local: "ErrorResponse"}, kind, s.code(x.Name), x.Message, id})
	if err != nil {
		panic(err) // strings always encode
	}
	return []byte(asIs.Replace(string(body)))
}

// asIs undoes references that text outside of attributes does not need. AWS writes none, and some
// clients, such as Architect's, do not read those with numbers. An ampersand of the text itself
// is &amp; by then.
var asIs = strings.NewReplacer("&#34;", `"`, "&#39;", "'", "&#xA;", "\n", "&#x9;", "\t")

// queryAnswer is the body of an answer. out is None or a struct; the XML has its fields under
// the names that JSON has, and leaves out those that JSON leaves out.
func (s *Service) queryAnswer(operation string, out any, id string) []byte {
	var b bytes.Buffer
	b.WriteString("<" + operation + `Response xmlns="` + s.Model.Namespace + `">`)
	if _, empty := out.(None); !empty && out != nil {
		b.WriteString("<" + operation + "Result>")
		writeXML(&b, reflect.ValueOf(out))
		b.WriteString("</" + operation + "Result>")
	}
	b.WriteString("<ResponseMetadata><RequestId>" + id + "</RequestId></ResponseMetadata></" + operation + "Response>")
	return b.Bytes()
}

// writeXML writes what is inside of a value's element. A value of a type that an output cannot
// have is an error in the program, found by the first call in a test.
func writeXML(b *bytes.Buffer, v reflect.Value) {
	switch value := v.Interface().(type) {
	case time.Time:
		b.WriteString(value.UTC().Format("2006-01-02T15:04:05Z"))
		return
	case Time:
		b.WriteString(time.Time(value).UTC().Format("2006-01-02T15:04:05.999Z"))
		return
	case []byte:
		b.WriteString(base64.StdEncoding.EncodeToString(value))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		writeXML(b, v.Elem())
	case reflect.Struct:
		writeFields(b, v)
	case reflect.Slice:
		for i := range v.Len() {
			b.WriteString("<member>")
			writeXML(b, v.Index(i))
			b.WriteString("</member>")
		}
	case reflect.String:
		var text strings.Builder
		_ = xml.EscapeText(&text, []byte(v.String())) // a builder takes all
		b.WriteString(asIs.Replace(text.String()))
	case reflect.Bool:
		b.WriteString(strconv.FormatBool(v.Bool()))
	case reflect.Float64:
		b.WriteString(strconv.FormatFloat(v.Float(), 'g', -1, 64))
	case reflect.Map:
		for _, key := range v.MapKeys() {
			b.WriteString("<entry><key>")
			writeXML(b, key)
			b.WriteString("</key><value>")
			writeXML(b, v.MapIndex(key))
			b.WriteString("</value></entry>")
		}
	case reflect.Int, reflect.Int32, reflect.Int64:
		b.WriteString(strconv.FormatInt(v.Int(), 10))
	default:
		panic(fmt.Sprintf("an output has a %s", v.Type()))
	}
}

func writeFields(b *bytes.Buffer, v reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Anonymous {
			writeFields(b, v.Field(i)) // its type may be private
			continue
		}
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" {
			name = field.Name
		}
		value := v.Field(i)
		if strings.HasPrefix(options, "omit") && value.IsZero() || value.Kind() == reflect.Pointer && value.IsNil() {
			continue
		}
		b.WriteString("<" + name + ">")
		writeXML(b, value)
		b.WriteString("</" + name + ">")
	}
}
