package push

import (
	"slices"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/invoker/pattern"
)

func TestGlobsMatchWithinAndAcrossSegments(t *testing.T) {
	tests := []struct {
		glob, s string
		want    bool
	}{
		{"photos/in/*.jpg", "photos/in/a.jpg", true},
		{"photos/in/*.jpg", "photos/in/.jpg", true},
		{"photos/in/*.jpg", "photos/in/sub/a.jpg", false},
		{"photos/in/*.jpg", "photos/in/a.jpg/b", false},
		{"photos/**", "photos/in/sub/a.jpg", true},
		{"photos/**", "photos/", true},
		{"photos/**", "photos", false},
		{"photos/**/*.jpg", "photos/a.jpg", true},
		{"photos/**/*.jpg", "photos/x/y/a.jpg", true},
		{"photos/**/a.jpg", "photos/xa.jpg", false},
		{"**/a.jpg", "a.jpg", true},
		{"**/a.jpg", "x/y/a.jpg", true},
		{"**/a.jpg", "x/ya.jpg", false},
		{"**.jpg", "x/y/a.jpg", true},
		{"*/in/**", "photos/in/x", true},
		{"*", "photos", true},
		{"*", "photos/x", false},
		{"**", "", true},
		{`photos/\*`, "photos/*", true},
		{`photos/\*`, "photos/x", false},
		{`photos/a?[b]`, "photos/a?[b]", true},
		{"photos/*ü*", "photos/aüb", true},
		{"", "", true},
		{"", "x", false},
	}
	for _, test := range tests {
		if got := matchGlob(test.glob, test.s); got != test.want {
			t.Errorf("%q fits %q = %v, want %v", test.s, test.glob, got, test.want)
		}
	}
}

func parseRule(t *testing.T, words ...string) Rule {
	t.Helper()
	r, err := ParseRule(words...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestOneEventGoesToEveryRuleThatWantsIt(t *testing.T) {
	png, err := pattern.Parse([]byte(`{"Records":{"s3":{"object":{"size":[{"numeric":[">",10]}]}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	rules := []Rule{
		parseRule(t, "ObjectCreated:*", "photos/in/*.jpg", "thumbnail"),
		parseRule(t, "s3:ObjectCreated:Put", "photos/**", "index:live"),
		parseRule(t, "ObjectRemoved:*", "photos/**", "cleanup"),
		parseRule(t, "*", "thumbnail"),
		{Pattern: png, Target: Target{Function: "large"}},
	}
	targets := func(e *Event) string {
		t.Helper()
		list, err := Targets(rules, e, "/events/s3/ignored")
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, target := range list {
			names = append(names, target.Function+":"+target.Qualifier)
		}
		slices.Sort(names)
		return strings.Join(names, " ")
	}
	small := []byte(`{"Records":[{"s3":{"object":{"size":1}}}]}`)
	if got := targets(&Event{Name: "ObjectCreated:Put", Subject: "photos/in/a.jpg", Payload: small}); got != "index:live thumbnail:" {
		t.Errorf("targets = %s", got)
	}
	large := []byte(`{"Records":[{"s3":{"object":{"size":11}}}]}`)
	if got := targets(&Event{Name: "ObjectRemoved:Delete", Subject: "photos/a", Payload: large}); got != "cleanup: large: thumbnail:" {
		t.Errorf("targets = %s", got)
	}
	rules = rules[:1]
	if got := targets(&Event{Name: "ObjectCreated:Put", Subject: "other/a.jpg"}); got != "" {
		t.Errorf("targets = %s", got)
	}
}

func TestWithoutRulesTheURLNamesTheFunction(t *testing.T) {
	for path, want := range map[string]Target{
		"/events/s3/thumbnail":         {"thumbnail", ""},
		"thumbnail:live":               {"thumbnail", "live"},
		"/events/s3/thumbnail:$LATEST": {"thumbnail", "$LATEST"},
	} {
		if got, err := Targets(nil, &Event{}, path); err != nil || !slices.Equal(got, []Target{want}) {
			t.Errorf("Targets(%q) = %v, %v", path, got, err)
		}
	}
	for _, path := range []string{"", "/", "/events/s3/", "/a b", "/a:", "/:live", "/a:b:c", "/" + strings.Repeat("a", 65)} {
		if got, err := Targets(nil, &Event{}, path); Status(err) != 404 {
			t.Errorf("Targets(%q) = %v, %v, want 404", path, got, err)
		}
	}
}

func TestWrongRulesAreRefused(t *testing.T) {
	for _, words := range [][]string{nil, {"a"}, {"a", "b", "c", "d"}, {"a", "b c"}, {"", "f"}, {"a", "", "f"}, {"a", "f:"}} {
		if r, err := ParseRule(words...); err == nil {
			t.Errorf("ParseRule(%q) = %+v", words, r)
		}
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("photos/**/*.jpg", "photos/a/b.jpg")
	f.Add(`\**x`, "*ax")
	f.Fuzz(func(t *testing.T, glob, s string) {
		if len(glob) > 200 || len(s) > 2000 {
			return
		}
		if matchGlob(glob, s) && !matchGlob("**", s) {
			t.Errorf("%q fits %q, but not **", s, glob)
		}
		if !strings.ContainsAny(glob, `*\`) && matchGlob(glob, s) != (glob == s) {
			t.Errorf("%q fits the literal %q wrongly", s, glob)
		}
	})
}
