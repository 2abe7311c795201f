package bus

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

const event = `{"version":"0","id":"i","detail-type":"made","source":"shop","account":"0","time":"t","region":"r","resources":["a","b"],` +
	`"detail":{"name":"say \"hi\" <x>","n":1.50,"list":[{"k":"v"}],"no":null}}`

func TestTargetsGetWhatTheyAskFor(t *testing.T) {
	paths := map[string]string{"name": "$.detail.name", "n": "$.detail.n", "list": "$.detail.list", "k": "$.detail.list[0].k", "type": "$.detail-type", "none": "$.detail.none"}
	template := func(text string) Input { return Input{InputTransformer: &Transformer{paths, text}} }
	for name, test := range map[string]struct {
		in   Input
		want string
	}{
		"the event":     {Input{}, event},
		"input":         {Input{Input: `{"a": 1}`}, `{"a": 1}`},
		"path":          {Input{InputPath: "$.detail.list"}, `[{"k":"v"}]`},
		"text":          {Input{InputPath: "$.source"}, `"shop"`},
		"no such path":  {Input{InputPath: "$.detail.list[1]"}, `null`},
		"all":           {Input{InputPath: "$"}, ""},
		"a string":      {template(`"<type>: <n> of <k><none>"`), `"made: 1.50 of v"`},
		"an object":     {template(`{"name": <name>, "n": <n>, "list": <list>, "none": <none>, "text": "<name>"}`), `{"name": "say \"hi\" <x>", "n": 1.50, "list": [{"k":"v"}], "none": null, "text": "say \"hi\" <x>"}`},
		"in a string":   {template(`"<list>"`), `"[{\"k\":\"v\"}]"`},
		"of the rule":   {template(`{"r": <aws.events.rule-name>, "a": "<aws.events.rule-arn>", "t": <aws.events.event.ingestion-time>}`), `{"r": "rule", "a": "arn", "t": "2000-01-01T00:00:00.000Z"}`},
		"the brief":     {template(`{"s": <aws.events.event>}`), `{"s": {"account":"0","detail-type":"made","id":"i","region":"r","resources":["a","b"],"source":"shop","time":"t","version":"0"}}`},
		"not a name":    {template(`"1 < 2 > <type>"`), `"1 < 2 > made"`},
		"lines of text": {template("<type>\nsecond"), `"\"made\"\nsecond"`},
	} {
		if err := test.in.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got, err := test.in.Of([]byte(event), Rule{"rule", "arn"}, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
		if err != nil || !json.Valid(got) || test.want != "" && string(got) != test.want {
			t.Errorf("%s: %s, %v, want %s", name, got, err, test.want)
		}
	}
}

func TestWrongInputsAreRefused(t *testing.T) {
	for want, in := range map[string]Input{
		"only one of":               {Input: "1", InputPath: "$"},
		"JSON syntax":               {Input: "{"},
		"does not begin":            {InputPath: "detail"},
		"in brackets":               {InputPath: "$.a[*]"},
		"no name behind":            {InputPath: "$..a"},
		"is no path":                {InputPath: "$a"},
		"JSONPath of x":             {InputTransformer: &Transformer{map[string]string{"x": "$['a']"}, "<x>"}},
		"there is no variable <y>":  {InputTransformer: &Transformer{nil, `"<y>"`}},
		"aws.events.x> is no place": {InputTransformer: &Transformer{nil, `"<aws.events.x>"`}},
		"reserved":                  {InputTransformer: &Transformer{map[string]string{"aws.x": "$"}, "1"}},
	} {
		want, _, _ = strings.Cut(want, "> is no")
		if err := in.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", in, err, want)
		}
	}
	many := Input{InputTransformer: &Transformer{nil, "[" + strings.Repeat("<aws.events.event.json>,", 8000) + "1]"}}
	if _, err := many.Of([]byte(event), Rule{}, time.Now()); err == nil {
		t.Error("a template made more than a target takes")
	}
}

func FuzzInput(f *testing.F) {
	f.Add("$.detail.list[0]", `{"a": "<v>", "b": <v>}`)
	f.Add("$", `"\"<aws.events.event.json>`)
	f.Fuzz(func(t *testing.T, path, template string) {
		for _, in := range []Input{{InputPath: path}, {InputTransformer: &Transformer{map[string]string{"v": path}, template}}} {
			if in.Check() != nil {
				continue
			}
			got, err := in.Of([]byte(event), Rule{}, time.Now())
			if err == nil && !json.Valid(got) {
				t.Errorf("%q %q: %s", path, template, got)
			}
		}
	})
}
