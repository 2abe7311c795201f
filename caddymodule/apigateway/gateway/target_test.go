package gateway

import (
	"strings"
	"testing"
)

func TestTargetsOfHTTPIntegrationsTakeParametersOfThePath(t *testing.T) {
	values := map[string]string{"proxy": "a%2Fb/c", "id": "7"}
	for _, test := range []struct{ uri, path, query, want, host string }{
		{"http://a.example", "/x%20y", "q=1", "http://a.example:80/x%20y?q=1", "a.example"},
		{"https://a.example:8443/", "/x", "", "https://a.example:8443/", "a.example:8443"},
		{"https://a.example/v1/{id}/{proxy}?k=v", "/x", "q=1", "https://a.example:443/v1/7/a%2Fb/c?k=v&q=1", "a.example"},
		{"http://[::1]:80/{proxy+}", "/x", "", "http://[::1]:80/a%2Fb/c", "[::1]:80"},
	} {
		target, err := ParseTarget(test.uri, []string{"proxy", "id"})
		if err != nil {
			t.Errorf("%s: %v", test.uri, err)
			continue
		}
		got, err := target.URL(test.path, test.query, func(name string) string { return values[name] })
		if err != nil || got.String() != test.want || target.Host != test.host {
			t.Errorf("%s: %s of %s %v, want %s", test.uri, got, target.Host, err, test.want)
		}
	}
}

func TestTargetsThatAreNoneAreRefused(t *testing.T) {
	for uri, want := range map[string]string{
		"ftp://a":                         "begins with http://",
		"a.example":                       "begins with http://",
		"http://":                         "is no host",
		"http://u:p@a/":                   "is no host",
		"http://{id}/":                    "is no host",
		"http://a/{other}":                "{other} is no path parameter",
		"http://a/{id":                    "is no path parameter",
		"http://a/%zz":                    "invalid URL escape",
		"http://a/${stageVariables.host}": "stage variables",
		"http://a/#b":                     "not supported",
		"http://a/ b":                     "not supported",
		"http://a/?q={env.X}":             "not supported",
	} {
		if _, err := ParseTarget(uri, []string{"id"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", uri, err, want)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	f.Add("https://a.example:1/{id}/b?c=d")
	f.Fuzz(func(t *testing.T, uri string) {
		target, err := ParseTarget(uri, []string{"id"})
		if err != nil {
			return
		}
		if u, err := target.URL("/x", "q", func(string) string { return "a%2F" }); err == nil && (u.Host != target.Address || u.Scheme != target.Scheme || !strings.HasPrefix(u.Path, "/")) {
			t.Errorf("%s: %s", uri, u)
		}
	})
}
