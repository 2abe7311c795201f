package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// The manual has a section of every command that names its flags, and of no other, and the exit
// codes.
func TestManualNamesEveryCommandFlagAndExitCode(t *testing.T) {
	text, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	manual := string(text)
	known := map[string]bool{"Which": true, "Exit": true, "--json": true}
	for _, c := range Commands() {
		name, _, _ := strings.Cut(c.Use, " ")
		known[name] = true
		heading := regexp.MustCompile(`(?m)^## ` + name + `\b.*$`).FindStringIndex(manual)
		if heading == nil {
			t.Errorf("docs/cli.md has no section ## %s", name)
			continue
		}
		section, _, _ := strings.Cut(manual[heading[1]:], "\n## ")
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		if c.Flags != nil {
			c.Flags(flags)
		}
		flags.VisitAll(func(f *pflag.Flag) {
			if !regexp.MustCompile("--" + f.Name + `\b`).MatchString(section) {
				t.Errorf("docs/cli.md: the section of %s does not name --%s", name, f.Name)
			}
		})
		for _, flag := range regexp.MustCompile("(?m)^\\| `--([a-z-]+)").FindAllStringSubmatch(section, -1) {
			if flags.Lookup(flag[1]) == nil {
				t.Errorf("docs/cli.md: %s has no flag --%s", name, flag[1])
			}
		}
		if c.Short == "" || c.Long == "" {
			t.Errorf("%s says nothing about itself", name)
		}
	}
	for _, heading := range regexp.MustCompile(`(?m)^## (\S+)`).FindAllStringSubmatch(manual, -1) {
		if !known[heading[1]] {
			t.Errorf("docs/cli.md is about %s, which is no command", heading[1])
		}
	}
	for _, code := range []int{ExitOK, ExitFailed, ExitUsage, ExitFunction, ExitMissing} {
		if !strings.Contains(manual, fmt.Sprintf("\n| %d | ", code)) {
			t.Errorf("docs/cli.md does not name exit code %d", code)
		}
	}
}

func TestSchemaHasTheSettingsOfHearthJSON(t *testing.T) {
	text, err := os.ReadFile("../../docs/hearth.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct{ Properties map[string]any }
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(configNames, "$schema") {
		if schema.Properties[name] == nil {
			t.Errorf("the schema has no %s", name)
		}
		delete(schema.Properties, name)
		// Each is one of config's, or the decoder would not know it.
		decoder := json.NewDecoder(strings.NewReader(`{"` + name + `": null}`))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(new(config)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(schema.Properties) > 0 {
		t.Errorf("the schema has %v, which hearth.json has not", schema.Properties)
	}
}

func TestErrorsOfHearthJSONNameTheLine(t *testing.T) {
	for text, want := range map[string]string{
		"{\n  \"memory\": \"much\"\n}":          "hearth.json:2: memory takes a whole number, not a JSON string",
		"{\n\n  \"tiemout\": 3\n}":              "hearth.json:3: there is no setting tiemout: did you mean timeout?; there are name,",
		"{\n  \"name\": \"a\"\n  \"url\": \"\"": "hearth.json:3: invalid character",
		"{\n  \"env\": {\"A\": 1}}":             "hearth.json:2: env takes a text, not a JSON number",
		"{":                                     "hearth.json:1: it ends too early",
	} {
		dir := folder(t, map[string]string{"hearth.json": text})
		if _, err := readConfig(dir); err == nil || !strings.Contains(err.Error(), want) || ExitCode(err) != ExitUsage {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestSamplesAreEventsOfTheirValues(t *testing.T) {
	for _, s := range samples {
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		CommonFlags(flags)
		eventCommand.Flags(flags)
		arguments := []string{s.source, s.kind}
		for name := range s.values {
			arguments = append(arguments, "--set", name+"=17")
		}
		if err := flags.Parse(arguments); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := printEvent(t.Context(), &Context{Flags: flags, Out: Stream{Writer: &out}}); err != nil {
			t.Errorf("%s %s: %v", s.source, s.kind, err)
		}
		if !json.Valid(out.Bytes()) || !strings.Contains(out.String(), "17") && s.kind != "record" {
			t.Errorf("%s %s: %s", s.source, s.kind, out.String())
		}
	}
}
