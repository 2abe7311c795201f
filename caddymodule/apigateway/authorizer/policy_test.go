package authorizer

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	iam "github.com/hearthfn/hearth/caddymodule/awsapi/policy"
)

const testAPI = "arn:aws:execute-api:us-east-1:000000000000:shop/live/"

func TestPoliciesAllowAndDenyAsIAMDoes(t *testing.T) {
	const open = `{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*"}`
	for _, test := range []struct {
		statements string
		want       verdict
	}{
		{open, allowed},
		{`{"Effect":"Allow","Action":["s3:*","EXECUTE-API:inv*"],"Resource":["x","` + testAPI + `GET/items/*"]}`, allowed},
		{`{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"` + testAPI + `GET/items/?"}`, allowed},
		{`{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:shop/*/GET/*"}`, allowed},
		{`{"Effect":"Allow","NotAction":"s3:*","NotResource":"` + testAPI + `PUT/*"}`, allowed},
		{`{"Effect":"Allow","Action":"execute-api:ManageConnections","Resource":"*"}`, implicitDeny},
		{`{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"` + testAPI + `GET/items"}`, implicitDeny},
		{`{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"` + testAPI + `get/items/1"}`, implicitDeny},
		{`{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"` + testAPI + `GET/items/??"}`, implicitDeny},
		{`{"Effect":"Deny","Action":"s3:GetObject","Resource":"*"},` + open, allowed},
		{`{"Effect":"Deny","Action":"*","Resource":"` + testAPI + `GET/*"},` + open, explicitDeny},
		{open + `,{"Effect":"Deny","Action":"execute-api:*","Resource":"` + testAPI + `GET/items/1"}`, explicitDeny},
		{open + `,{"Effect":"Deny","NotAction":"execute-api:Invoke","Resource":"*"}`, allowed},
	} {
		p, err := parsePolicy([]byte(`{"Version":"2012-10-17","Statement":[` + test.statements + `]}`))
		if err != nil {
			t.Errorf("%s: %v", test.statements, err)
			continue
		}
		if got := p.check([]string{testAPI + "GET/items/1"}, &iam.Request{}); got != test.want {
			t.Errorf("%s: %d, want %d", test.statements, got, test.want)
		}
	}
	// What is denied in one form of the path is denied, what is allowed in one is not.
	both := []string{testAPI + "GET/admin/x", testAPI + "GET/admin%2Fx"}
	for resource, want := range map[string]verdict{"GET/admin/*": explicitDeny, "GET/admin%2Fx": explicitDeny, "PUT/*": allowed} {
		p, err := parsePolicy([]byte(`{"Statement":[` + open + `,{"Effect":"Deny","Action":"*","Resource":"` + testAPI + resource + `"}]}`))
		if err != nil || p.check(both, &iam.Request{}) != want {
			t.Errorf("%s: %d %v", resource, p.check(both, &iam.Request{}), err)
		}
	}
	p, _ := parsePolicy([]byte(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"` + testAPI + `GET/admin/*"}}`))
	if p.check(both, &iam.Request{}) != implicitDeny {
		t.Error("a path is allowed that the policy allows in one form only")
	}
}

func TestConditionsOfPoliciesAreEvaluated(t *testing.T) {
	r := &http.Request{TLS: &tls.ConnectionState{}, Header: http.Header{"User-Agent": {"curl/8"}}}
	asked := (&Question{Context: &apigateway.Context{SourceIP: "192.0.2.7"}}).conditions(r, time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC))
	for condition, fulfilled := range map[string]bool{
		`{}`:   true,
		`null`: true,
		`{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","192.0.2.0/24"]}}`:             true,
		`{"IpAddress":{"aws:sourceip":"10.0.0.0/8"}}`:                              false,
		`{"NotIpAddress":{"aws:SourceIp":"192.0.2.7"}}`:                            false,
		`{"DateGreaterThan":{"aws:CurrentTime":"2026-05-01T11:59:59Z"}}`:           true,
		`{"DateLessThan":{"aws:CurrentTime":"2026-05-01T12:00:00Z"}}`:              false,
		`{"NumericLessThan":{"aws:EpochTime":"1000"}}`:                             false,
		`{"Bool":{"aws:SecureTransport":true}}`:                                    true,
		`{"StringLike":{"aws:UserAgent":"curl/*"}}`:                                true,
		`{"StringEquals":{"aws:SourceVpc":"vpc-1"}}`:                               false, // known not to be there
		`{"Null":{"aws:SourceVpc":"true"},"Bool":{"aws:SecureTransport":"false"}}`: false,
	} {
		for effect, wants := range map[string]map[bool]verdict{"Allow": {true: allowed, false: implicitDeny}, "Deny": {true: explicitDeny, false: implicitDeny}} {
			p, err := parsePolicy([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"` + effect + `","Action":"*","Resource":"*","Condition":` + condition + `}}`))
			if err != nil {
				t.Errorf("%s: %v", condition, err)
				continue
			}
			if got := p.check([]string{testAPI + "GET/items/1"}, asked); got != wants[fulfilled] {
				t.Errorf("%s %s: %d", effect, condition, got)
			}
		}
	}
	r.Header.Set("Referer", strings.Repeat("x", maxCompared+1))
	unknown := (&Question{Context: &apigateway.Context{SourceIP: "192.0.2.7"}}).conditions(r, time.Now())
	p, err := parsePolicy([]byte(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringNotLike":{"aws:Referer":"y"}}}}`))
	if err != nil || p.check([]string{testAPI + "GET/items/1"}, unknown) != implicitDeny {
		t.Error("a header that is too long to compare opens", err)
	}
	// What is not known allows nothing, and denies.
	for _, condition := range []string{`{"StringEquals":{"aws:Color":"red"}}`, `{"StringNotEquals":{"aws:Color":"red"}}`, `{"StringEqualsIfExists":{"aws:Color":"red"}}`} {
		for effect, want := range map[string]verdict{"Allow": implicitDeny, "Deny": explicitDeny} {
			p, err := parsePolicy([]byte(`{"Statement":{"Effect":"` + effect + `","Action":"*","Resource":"*","Condition":` + condition + `}}`))
			if err != nil || p.check([]string{testAPI + "GET/items/1"}, asked) != want {
				t.Errorf("%s %s: %v", effect, condition, err)
			}
		}
	}
}

func TestWhatIsNoPolicyIsRefused(t *testing.T) {
	for policy, want := range map[string]string{
		`7`:                "no policy",
		`{}`:               "0 statements",
		`{"Statement":[]}`: "0 statements",
		`{"Statement":[{"Effect":"allow","Action":"*","Resource":"*"}]}`:                                                         "Effect",
		`{"Statement":[{"Effect":"Allow","Resource":"*"}]}`:                                                                      "Action",
		`{"Statement":[{"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"}]}`:                                         "Action",
		`{"Statement":[{"Effect":"Allow","Action":"*"}]}`:                                                                        "Resource",
		`{"Statement":[{"Effect":"Allow","Action":"*","Resource":7}]}`:                                                           "no policy",
		`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddresses":{"aws:SourceIp":"10.0.0.1"}}}]}`: "IpAddresses",
		`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"10.0.0"}}}]}`:  "cannot compare",
		`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:CurrentTime":"soon"}}}]}`: "cannot compare",
		`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":7}]}`:                                           "condition",
		`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","NotPrincipal":"x"}]}`:                                      "NotPrincipal",
		`{"Statement":[` + strings.Repeat(`{},`, 2000) + `{}]}`:                                                                  "2001 statements",
	} {
		if _, err := parsePolicy([]byte(policy)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v, want %q", policy, err, want)
		}
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("a*b?c", "axxbxc")
	f.Add("**", "")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 64 || len(text) > 64 {
			return
		}
		if got, want := glob(pattern, text), slowGlob(pattern, text); got != want {
			t.Errorf("%q on %q: %v", pattern, text, got)
		}
	})
}

func slowGlob(pattern, text string) bool {
	row := make([]bool, len(text)+1)
	row[0] = true
	for p := range len(pattern) {
		next := make([]bool, len(text)+1)
		for n := range next {
			switch {
			case pattern[p] == '*':
				next[n] = row[n] || n > 0 && next[n-1]
			case n > 0:
				next[n] = row[n-1] && (pattern[p] == '?' || pattern[p] == text[n-1])
			}
		}
		row = next
	}
	return row[len(text)]
}
