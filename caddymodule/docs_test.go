package caddymodule

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// What options there are is in the error about one that there is not.
var listed = regexp.MustCompile(`; there (?:are|is) (.*?), at Caddyfile:\d+`)

// Every option of the Caddyfile is a row of a table in the manual, with its default.
func TestEveryOptionIsInTheManualWithItsDefault(t *testing.T) {
	manual, err := os.ReadFile("../docs/caddyfile.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		section string // heading of the manual
		input   string // the block of an option that there is not
		cell    string // how the manual names the option X
	}{
		"hearth":            {"## The global option `hearth`", "{\n hearth {\n OPTION\n }\n}", "`X`"},
		"redis":             {"## The global option `hearth`", "{\n hearth {\n redis redis://h {\n OPTION\n }\n }\n}", "`redis { X }`"},
		"services":          {"## The global option `hearth`", "{\n hearth {\n s3 {\n OPTION\n }\n }\n}", "`... { X }`"},
		"async":             {"## The global option `hearth`", "{\n hearth {\n async {\n OPTION\n }\n }\n}", "`async { X }`"},
		"sandbox":           {"## The global option `hearth`", "{\n hearth {\n sandbox on {\n OPTION\n }\n }\n}", "`sandbox { X }`"},
		"network":           {"## The global option `hearth`", "{\n hearth {\n network private {\n OPTION\n }\n }\n}", "`network { X }`"},
		"logs":              {"## The global option `hearth`", "{\n hearth {\n logs {\n OPTION\n }\n }\n}", "`logs { X }`"},
		"event_source":      {"## `event_source`", "{\n hearth {\n event_source arn:aws:sqs:r:1:q f {\n OPTION\n }\n }\n}", "`X`"},
		"tls":               {"## `event_source`", "{\n hearth {\n event_source kafka://h:9092 f {\n tls {\n OPTION\n }\n }\n }\n}", "`tls { X }`"},
		"schedule":          {"## `schedule`", "{\n hearth {\n schedule s \"rate(1 minute)\" f {\n OPTION\n }\n }\n}", "`X`"},
		"function":          {"## The option `function`", "{\n hearth {\n function f {\n OPTION\n }\n }\n}", "`X`"},
		"function network":  {"## The option `function`", "{\n hearth {\n function f {\n network private {\n OPTION\n }\n }\n }\n}", "`network { X }`"},
		"function async":    {"## The option `function`", "{\n hearth {\n function f {\n async {\n OPTION\n }\n }\n }\n}", "`async { X }`"},
		"a route":           {"## The directive `function`", "example.com {\n function f {\n OPTION\n }\n}", "`X`"},
		"receive":           {"## The directive `receive`", "example.com {\n receive s3 {\n OPTION\n }\n}", "`X`"},
		"api":               {"## The directive `api`", "example.com {\n api a {\n OPTION\n }\n}", "`X`"},
		"api cors":          {"## The directive `api`", "example.com {\n api a {\n cors * {\n OPTION\n }\n }\n}", "`cors { X }`"},
		"api function":      {"## The directive `api`", "example.com {\n api a {\n GET / f {\n OPTION\n }\n }\n}", "`a route { X }`"},
		"api address":       {"## The directive `api`", "example.com {\n api a {\n GET / http://h {\n OPTION\n }\n }\n}", "`a route { X }`"},
		"websocket":         {"## The directive `websocket`", "example.com {\n websocket a {\n OPTION\n }\n}", "`X`"},
		"websocket connect": {"## The directive `websocket`", "example.com {\n websocket a {\n connect f {\n OPTION\n }\n }\n}", "`connect { X }`"},
		"websocket route":   {"## The directive `websocket`", "example.com {\n websocket a {\n default f {\n OPTION\n }\n }\n}", "`a route { X }`"},
		"authorizer":        {"## `authorizer`", "{\n hearth {\n authorizer a jwt {\n OPTION\n }\n }\n}", "`X`"},
		"lambda decides":    {"## `authorizer`", "{\n hearth {\n authorizer a lambda f {\n OPTION\n }\n }\n}", "`X`"},
		"usage_plan":        {"## `usage_plan`", "{\n hearth {\n usage_plan a {\n OPTION\n }\n }\n}", "`X`"},
		"a rule":            {"## The directive `receive`", "example.com {\n receive s3 {\n on * f {\n OPTION\n }\n }\n}", "`on { X }`"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := adapt(strings.ReplaceAll(test.input, "OPTION", "nonsense"))
			if err == nil || !listed.MatchString(err.Error()) {
				t.Fatalf("a nonsensical option gives %v, which names none that there are", err)
			}
			names := strings.Split(strings.Replace(listed.FindStringSubmatch(err.Error())[1], " and ", ", ", 1), ", ")
			_, section, found := strings.Cut(string(manual), test.section+"\n")
			if !found {
				t.Fatalf("the manual has no %s", test.section)
			}
			section, _, _ = strings.Cut(section, "\n## ")
			syntax, _, _ := strings.Cut(section, "\n|")
			for _, option := range names {
				if !regexp.MustCompile(`(?m)^\s*([A-Za-z0-9_]+\|)*` + option + `[\s|]`).MatchString(syntax) {
					t.Errorf("%s: the syntax lacks %s", test.section, option)
				}
				cell := strings.Replace(test.cell, "X", option, 1)
				if !hasRow(section, cell) && !hasRow(section, strings.TrimSuffix(cell, "`")+" {") { // of a block, what is in it
					t.Errorf("%s: no row with a default is about %s", test.section, option)
				}
			}
		})
	}
	_, err = adapt("example.com {\n receive nonsense\n}")
	if err == nil || !listed.MatchString(err.Error()) {
		t.Fatalf("a nonsensical source gives %v", err)
	}
	for _, source := range strings.Split(listed.FindStringSubmatch(err.Error())[1], ", ") {
		events, err := os.ReadFile("../docs/events.md")
		if err != nil || !strings.Contains(string(events), "\n| `"+source+"` |") || !strings.Contains(string(manual), "`"+source+"`") {
			t.Errorf("the manual is not about the source %s, %v", source, err)
		}
	}
}

// hasRow reports whether a row of a table begins with the cell, maybe among others, and
// has something in the next one, the default.
func hasRow(section, cell string) bool {
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) > 3 && strings.Contains(cells[1], cell) && strings.TrimSpace(cells[2]) != "" {
			return true
		}
	}
	return false
}
