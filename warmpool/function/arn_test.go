package function

import (
	"strings"
	"testing"
)

func TestARNNamesAccountAndRegion(t *testing.T) {
	a := Account{ID: "123456789012", Region: "eu-west-1"}
	for qualifier, want := range map[string]string{
		"":     "arn:aws:lambda:eu-west-1:123456789012:function:pets",
		"live": "arn:aws:lambda:eu-west-1:123456789012:function:pets:live",
		Latest: "arn:aws:lambda:eu-west-1:123456789012:function:pets:$LATEST",
	} {
		if got := a.ARN("pets", qualifier); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := DefaultAccount.ARN("pets", ""); got != "arn:aws:lambda:us-east-1:000000000000:function:pets" {
		t.Errorf("got %s", got)
	}
}

func TestReferenceIsANameAndAQualifier(t *testing.T) {
	for s, want := range map[string][2]string{
		"pets":         {"pets", Latest},
		"pets:$LATEST": {"pets", Latest},
		"pets:7":       {"pets", "7"},
		"pets:live":    {"pets", "live"},
		"a_-Z9:b_-Y8":  {"a_-Z9", "b_-Y8"},
	} {
		if name, qualifier, err := ParseReference(s); name != want[0] || qualifier != want[1] || err != nil {
			t.Errorf("%s: got %q, %q, %v", s, name, qualifier, err)
		}
	}
	for s, want := range map[string]string{
		"":              `function name "": 1 to 64 letters`,
		":live":         `function name "": 1 to 64 letters`,
		"a b":           `function name "a b": 1 to 64 letters`,
		"pets:":         `function "pets": qualifier "": $LATEST, a version number or an alias is allowed`,
		"pets:a:b":      `function "pets": qualifier "a:b": $LATEST`,
		"pets:$latest":  `function "pets": qualifier "$latest": $LATEST`,
		"pets:$LATEST ": `function "pets": qualifier "$LATEST ": $LATEST`,
	} {
		if name, qualifier, err := ParseReference(s); err == nil || !strings.HasPrefix(err.Error(), want) || name != "" || qualifier != "" {
			t.Errorf("%q: got %q, %q, %v, want %s", s, name, qualifier, err, want)
		}
	}
}

func TestQualifierIsLatestAVersionOrAnAlias(t *testing.T) {
	for _, q := range []string{Latest, "1", "live", "a-b_C", strings.Repeat("a", 128)} {
		if !ValidQualifier(q) {
			t.Errorf("%q is refused", q)
		}
	}
	for _, q := range []string{"", "$", "$LATEST2", "a.b", "a b", "é", "a\n", "a/b", strings.Repeat("a", 129)} {
		if ValidQualifier(q) {
			t.Errorf("%q is accepted", q)
		}
	}
}

func FuzzParseReference(f *testing.F) {
	for _, s := range []string{"pets", "pets:$LATEST", "pets:7", "pets:", ":", "a:b:c", "é", "a\x00", "a\n:b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, qualifier, err := ParseReference(s)
		if err != nil {
			if name != "" || qualifier != "" {
				t.Errorf("%q: %q and %q beside %v", s, name, qualifier, err)
			}
			return
		}
		if !ValidName(name) || !ValidQualifier(qualifier) {
			t.Errorf("%q: %q or %q is not valid", s, name, qualifier)
		}
		if s != name+":"+qualifier && (s != name || qualifier != Latest) {
			t.Errorf("%q became %q and %q", s, name, qualifier)
		}
	})
}
