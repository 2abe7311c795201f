package filterpattern

import (
	"errors"
	"strings"
	"testing"
)

// The examples of the documentation of CloudWatch Logs, and its borders.
func TestPatternsMatchAsCloudWatchs(t *testing.T) {
	const apache = `127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534`
	const trail = `{"eventType":"UpdateTrail","sourceIPAddress":"111.111.111.111","arrayKey":["value","another value"],` +
		`"objectList":[{"name":"a","id":1},{"name":"b","id":2}],"SomeObject":null,"cluster.name":"c","ThisFlag":true,"bandwidth":75.5,"a b":"x"}`
	for _, test := range []struct {
		pattern, message string
		want             bool
	}{
		{"", "anything", true},
		{"  ", "anything", true},
		{"ERROR", "[ERROR 400] BAD REQUEST", true},
		{"ERROR", "error", false},
		{"ERROR ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", true},
		{"ERROR ARGUMENTS", "[ERROR 401] UNAUTHORIZED REQUEST", false},
		{"?ERROR ?ARGUMENTS", "ARGUMENTS missing", true},
		{"?ERROR ?ARGUMENTS", "INFO", false},
		{"ERROR -ARGUMENTS", "[ERROR 400] BAD REQUEST", true},
		{"ERROR -ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", false},
		{"?ERROR INFO", "INFO", true},
		{`"INTERNAL SERVER ERROR"`, "[ERROR 500] INTERNAL SERVER ERROR", true},
		{`"INTERNAL SERVER ERROR"`, "INTERNAL ERROR", false},
		{`"say \"hi\""`, `say "hi"`, true},
		{`%AUTHORIZED%`, "UNAUTHORIZED", true},
		{`%4\d\d% -"404"`, "status 403", true},
		{`%4\d\d% -"404"`, "status 404", false},
		{"START", "START RequestId: 1", true},
		{"grüße", "viele grüße", true},

		{`{ $.eventType = "UpdateTrail" }`, trail, true},
		{`{ $.eventType = UpdateTrail }`, trail, true},
		{`{ $.eventType != "UpdateTrail" }`, trail, false},
		{`{ $.sourceIPAddress != 123.123.* }`, trail, true},
		{`{ $.sourceIPAddress = 111.* }`, trail, true},
		{`{ $.eventType = %^Upd% }`, trail, true},
		{`{ $.arrayKey[0] = "value" }`, trail, true},
		{`{ $.arrayKey[1] = value }`, trail, false},
		{`{ $.objectList[1].id = 2 }`, trail, true},
		{`{ $.objectList[*].id = 2 }`, trail, true},
		{`{ $.objectList[*].id > 2 }`, trail, false},
		{`{ $.SomeObject IS NULL }`, trail, true},
		{`{ $.SomeOtherObject NOT EXISTS }`, trail, true},
		{`{ $.eventType NOT EXISTS }`, trail, false},
		{`{ $.ThisFlag IS TRUE }`, trail, true},
		{`{ $.ThisFlag IS FALSE }`, trail, false},
		{`{ $.ThisFlag = true }`, trail, true},
		{`{ $.["cluster.name"] = "c" }`, trail, true},
		{`{ $.['x'] = "c" }`, trail, false},
		{`{ $.["a b"] = "x" }`, trail, true},
		{`{ $.bandwidth > 75 && $.bandwidth <= 75.5 }`, trail, true},
		{`{ $.bandwidth = 7e1 }`, trail, false},
		{`{ ($.bandwidth > 100) || ($.eventType = "Up*") }`, trail, true},
		{`{ $.bandwidth > 100 || $.x = 1 && $.y = 2 }`, trail, false},
		{`{ $.eventType = "UpdateTrail" }`, "no JSON", false},
		{`{ $.eventType = "UpdateTrail" }`, `"text"`, false},
		{`{ $[0].a = 1 }`, `[{"a":1}]`, true},

		{`[ip, id, user, timestamp, request, status, size]`, apache, true},
		{`[ip, id, user, timestamp, request, status]`, apache, false},
		{`[ip, id, user, timestamp, request, status = 404, size]`, apache, true},
		{`[ip, id, user, timestamp, request, status = 5*, size]`, apache, false},
		{`[..., status = 4*, size > 1000]`, apache, true},
		{`[ip = 127.*, ..., size < 1000]`, apache, false},
		{`[ip, ..., request = *html*, status = 400 || status = 404, size]`, apache, true},
		{`[ip, ..., request = %GET .*1\.0%, status != 404, size]`, apache, false},
		{`[a, b]`, `one "two, three"`, true},
		{`[a = "x y", b]`, `"x y" z`, true},
		{`[...]`, ``, true},
	} {
		p, err := Parse(test.pattern)
		if strings.Contains(test.pattern, "['x']") {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("%s: got %v, want an error", test.pattern, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.pattern, err)
			continue
		}
		if got := p.Match(test.message); got != test.want {
			t.Errorf("%s of %s: got %t", test.pattern, test.message, got)
		}
	}
}

func TestWhatIsNoPatternIsRefused(t *testing.T) {
	for _, pattern := range []string{
		`"open`, `%open`, `%%`, `%(%`, `-`, `?`, `a{b}`, `{`, `{}`, `{ $.a }`, `{ $ = 1 }`, `{ $. = 1 }`, `{ $.a = }`, `{ a = 1 }`,
		`{ $.a > x }`, `{ ($.a = 1 }`, `{ $.a = 1 ) }`, `{ $.a = 1 && }`, `{ $.a[x] = 1 }`, `{ $.a[-1] = 1 }`, `{ $.a[0 = 1 }`,
		`[`, `[a, ..., b, ...]`, `[a >]`, `[a > x]`, `[a = 1 || b = 2]`, strings.Repeat("x", MaxLength+1),
		"{ " + strings.Repeat("(", 200) + "$.a = 1" + strings.Repeat(")", 200) + " }",
	} {
		if _, err := Parse(pattern); !errors.Is(err, ErrInvalid) {
			t.Errorf("%.60s: got %v, want ErrInvalid", pattern, err)
		}
	}
}

func FuzzPattern(f *testing.F) {
	for _, seed := range []string{"ERROR -x ?y", `{ $.a[*].b = "c*" && ($.d > 1 || $.e NOT EXISTS) }`, `[a, ..., b = %x% || b != "y z"]`} {
		f.Add(seed, `{"a":[{"b":"c"}]}`)
	}
	f.Fuzz(func(t *testing.T, pattern, message string) {
		p, err := Parse(pattern)
		if (err == nil) != (p != nil) {
			t.Fatalf("%v with %v", p, err)
		}
		if err == nil {
			p.Match(message)
		}
	})
}
