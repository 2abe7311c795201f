package accesslog

import (
	"encoding/json"
	"strings"
	"testing"
)

func fill(f *Format, values map[string]string) string {
	return string(f.Append(nil, func(dst []byte, name string) []byte { return append(dst, values[name]...) }))
}

func TestFormatsAreFilled(t *testing.T) {
	values := map[string]string{
		"requestId": "id", "status": "200", "identity.sourceIp": "192.0.2.1", "httpMethod": "GET", "authorizer.claims.custom:role": "admin",
		"identity.userAgent": "a\"b\\c\nd<&>", "authorizer.principal-id": "me",
	}
	for format, want := range map[string]string{
		`$context.requestId`: "id",
		`$context.identity.sourceIp - - [$context.requestTime] "$context.httpMethod $context.routeKey" $context.status.`: `192.0.2.1 - - [-] "GET -" 200.`,
		`$context.status,$context.httpMethod-x,$context.requestId` + "\n":                                                "200,GET-x,id",
		`$context.authorizer.claims.custom:role $context.authorizer.principal-id`:                                        "admin me",
		`{"a":"$context.identity.userAgent"}`:                                                                            `{"a":"a\"b\\c\u000ad<&>"}`,
		`<a>$context.identity.userAgent</a>`:                                                                             `<a>a&quot;b\c?d&lt;&amp;&gt;</a>`,
		`$context.identity.cognitoIdentityId`:                                                                            "-",
		`$$context.status$`:                                                                                              "$200$",
	} {
		f, err := Parse(format)
		if err != nil {
			t.Errorf("%s: %v", format, err)
			continue
		}
		if got := fill(f, values); got != want {
			t.Errorf("%s: %s, want %s", format, got, want)
		}
	}
	f, err := Parse(Default)
	if err != nil || !f.JSON || !f.Names("identity.") || f.Names("authorizer.") {
		t.Errorf("%+v %v", f, err)
	}
}

func TestFormatsThatAreNoneAreRefused(t *testing.T) {
	for format, want := range map[string]string{
		"": "empty", "\n": "empty", "text": "no $context variable", "$context.requestId\n$context.status": "single line",
		"$context.nonsense": "no $context.nonsense", "$context.requestId $context.": "without a name",
		"$context.requestId" + strings.Repeat("x", maxFormat): "bytes",
	} {
		if _, err := Parse(format); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", format, err, want)
		}
	}
}

// Whatever a client sends, it stays inside of its value.
func FuzzAppend(f *testing.F) {
	f.Add("a\"b\n")
	format, err := Parse(`{"a":"$context.identity.userAgent","b":"$context.path"}`)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		line := fill(format, map[string]string{"identity.userAgent": text, "path": "/"})
		var got map[string]string
		if err := json.Unmarshal([]byte(line), &got); err != nil || len(got) != 2 || got["b"] != "/" || strings.ContainsAny(line, "\r\n") {
			t.Errorf("%q: %s %v", text, line, err)
		}
	})
}
