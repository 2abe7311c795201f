package authorizer

import (
	"strings"
	"testing"
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
		if got := p.check([]string{testAPI + "GET/items/1"}); got != test.want {
			t.Errorf("%s: %d, want %d", test.statements, got, test.want)
		}
	}
	// What is denied in one form of the path is denied, what is allowed in one is not.
	both := []string{testAPI + "GET/admin/x", testAPI + "GET/admin%2Fx"}
	for resource, want := range map[string]verdict{"GET/admin/*": explicitDeny, "GET/admin%2Fx": explicitDeny, "PUT/*": allowed} {
		p, err := parsePolicy([]byte(`{"Statement":[` + open + `,{"Effect":"Deny","Action":"*","Resource":"` + testAPI + resource + `"}]}`))
		if err != nil || p.check(both) != want {
			t.Errorf("%s: %d %v", resource, p.check(both), err)
		}
	}
	p, _ := parsePolicy([]byte(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"` + testAPI + `GET/admin/*"}}`))
	if p.check(both) != implicitDeny {
		t.Error("a path is allowed that the policy allows in one form only")
	}
}

func TestWhatIsNoPolicyIsRefused(t *testing.T) {
	for policy, want := range map[string]string{
		`7`:                "no policy",
		`{}`:               "0 statements",
		`{"Statement":[]}`: "0 statements",
		`{"Statement":[{"Effect":"allow","Action":"*","Resource":"*"}]}`:                                                       "Effect",
		`{"Statement":[{"Effect":"Allow","Resource":"*"}]}`:                                                                    "Action",
		`{"Statement":[{"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"}]}`:                                       "Action",
		`{"Statement":[{"Effect":"Allow","Action":"*"}]}`:                                                                      "Resource",
		`{"Statement":[{"Effect":"Allow","Action":"*","Resource":7}]}`:                                                         "no policy",
		`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.1"}}}]}`: "Condition is not supported",
		`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","NotPrincipal":"x"}]}`:                                    "NotPrincipal",
		`{"Statement":[` + strings.Repeat(`{},`, 2000) + `{}]}`:                                                                "2001 statements",
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
