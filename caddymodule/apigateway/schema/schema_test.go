package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// one reads a schema that is the only model.
func one(text string) (*Schema, error) {
	return Read("m", func(name string) (string, bool) { return text, name == "m" })
}

func TestBodiesAreCheckedByTheirModel(t *testing.T) {
	for _, test := range []struct{ schema, right, wrong string }{
		{`{"type":"object","required":["a","b"],"properties":{"a":{"type":"number"}}}`, `{"a":1,"b":null}`, `{"a":1}`},
		{`{"type":"object"}`, ``, `[]`},
		{`{"required":["a"]}`, `{"a":1}`, ``},
		{`{"type":["string","null"]}`, `null`, `1`},
		{`{"type":"integer"}`, `1.0`, `1.5`},
		{`{"type":"integer"}`, `1e2`, `1e-2`},
		{`{"enum":[1,{"a":[1,2]}]}`, `{"a":[1.0,2e0]}`, `{"a":[2,1]}`},
		{`{"minimum":1,"exclusiveMinimum":true}`, `1.1`, `1`},
		{`{"$schema":"http://json-schema.org/draft-07/schema#","exclusiveMinimum":1}`, `2`, `1`},
		{`{"$schema":"http://json-schema.org/draft-07/schema#","const":"x"}`, `"x"`, `"y"`},
		{`{"$schema":"http://json-schema.org/draft-07/schema#","if":{"type":"string"},"then":{"minLength":2},"else":{"type":"null"}}`, `"xy"`, `1`},
		{`{"multipleOf":0.01}`, `19.99`, `0.001`},
		{`{"maximum":1.7976931348623157e308}`, `1e300`, `1e999`},
		{`{"minLength":2,"maxLength":3}`, `"äöü"`, `"ä"`},
		{`{"pattern":"^[a-z]+$"}`, `"abc"`, `"aBc"`},
		{`{"format":"email"}`, `"a@example.com"`, `"a"`},
		{`{"format":"regex"}`, `"a+"`, `"("`},
		{`{"items":{"type":"number"},"uniqueItems":true}`, `[1,2]`, `[1,1.0]`},
		{`{"items":[{"type":"number"}],"additionalItems":false}`, `[1]`, `[1,2]`},
		{`{"additionalProperties":false,"patternProperties":{"^x-":{}},"properties":{"a":{}}}`, `{"a":1,"x-b":2}`, `{"b":1}`},
		{`{"minProperties":1,"maxProperties":1}`, `{"a":1}`, `{"a":1,"b":2}`},
		{`{"dependencies":{"a":["b"],"c":{"required":["d"]}}}`, `{"a":1,"b":1}`, `{"c":1}`},
		{`{"allOf":[{"minimum":1},{"maximum":3}]}`, `2`, `4`},
		{`{"anyOf":[{"type":"string"},{"minimum":3}]}`, `3`, `2`},
		{`{"oneOf":[{"multipleOf":2},{"multipleOf":3}]}`, `4`, `6`},
		{`{"not":{"type":"string"}}`, `1`, `"x"`},
		{`{"definitions":{"n":{"type":"number"}},"properties":{"a":{"$ref":"#/definitions/n"}}}`, `{"a":1}`, `{"a":"x"}`},
		{`{"properties":{"left":{"$ref":"#"},"right":{"$ref":"#"}},"additionalProperties":false}`, `{"left":{"right":{}}}`, `{"left":{"up":{}}}`},
	} {
		s, err := one(test.schema)
		if err != nil {
			t.Errorf("%s: %v", test.schema, err)
			continue
		}
		if err := s.Check([]byte(test.right)); err != nil {
			t.Errorf("%s refuses %s: %v", test.schema, test.right, err)
		}
		if err := s.Check([]byte(test.wrong)); err == nil {
			t.Errorf("%s takes %s", test.schema, test.wrong)
		}
	}
}

func TestErrorsAreThoseOfAWS(t *testing.T) {
	s, err := one(`{"required":["a","b"],"properties":{"c":{"type":["number","integer"]}}}`)
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{
		`{"c":1}`:               `object has missing required properties (["a","b"])`,
		`{"a":1,"b":1,"c":"x"}`: `instance type (string) does not match any allowed primitive type (allowed: ["integer","number"])`,
		`{`:                     "it is no JSON",
		`{} {}`:                 "there is more after its end",
	} {
		if err := s.Check([]byte(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
}

func TestModelsReferToEachOther(t *testing.T) {
	models := map[string]string{
		"list":  `{"type":"array","items":{"$ref":"https://apigateway.amazonaws.com/restapis/abc/models/pet"}}`,
		"pet":   `{"required":["name"],"properties":{"mother":{"$ref":"https://apigateway.amazonaws.com/restapis/abc/models/pet"}}}`,
		"away":  `{"$ref":"http://169.254.169.254/latest/meta-data"}`,
		"file":  `{"$ref":"file:///etc/passwd"}`,
		"gone":  `{"$ref":"https://apigateway.amazonaws.com/restapis/abc/models/none"}`,
		"below": `{"$ref":"https://apigateway.amazonaws.com/restapis/abc/models/pet/x"}`,
	}
	find := func(name string) (string, bool) { text, ok := models[name]; return text, ok }
	s, err := Read("list", find)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Check([]byte(`[{"name":"a","mother":{"name":"b"}}]`)); err != nil {
		t.Error(err)
	}
	if err := s.Check([]byte(`[{"name":"a","mother":{}}]`)); err == nil {
		t.Error("the model that is referred to is not checked")
	}
	for name, want := range map[string]string{"away": "is not supported", "file": "is not supported", "gone": `"none", which a $ref leads to, is not there`, "below": "is not supported"} {
		if _, err := Read(name, find); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestModelsThatCannotBeCheckedAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		`[]`:                 "no JSON object",
		`{`:                  "no JSON",
		`{"type":"strange"}`: "type",
		`{"$schema":"http://json-schema.org/draft-03/schema#"}`: "is not supported",
		`{"pattern":"a(?=b)"}`:                                              "a(?=b)",
		`{"maximum":1e999999999}`:                                           "too long",
		`{"$ref":"#/definitions/none"}`:                                     "none",
		strings.Repeat(`{"not":`, 300) + `{}` + strings.Repeat("}", 300):    "nested deeper",
		`{"enum":[0` + strings.Repeat(",1", 20000) + `]}`:                   "more than 10000 values",
		`{"description":"` + strings.Repeat("x", MaxSize) + `"}`:            "at most",
		`{"properties":{"a":{"items":{"$ref":"other.json#/definitions"}}}}`: "is not there",
	} {
		if _, err := one(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %s", text, err, want)
		}
	}
}

func TestAHostileBodyCostsNoMoreThanItsSteps(t *testing.T) {
	const twice = `{"type":"object","anyOf":[{"properties":{"a":{"$ref":"#"}}},{"properties":{"a":{"$ref":"#"}}}]}`
	laugh := `{"definitions":{"d0":{"type":"null"}`
	for n := range 40 {
		laugh += fmt.Sprintf(`,"d%d":{"anyOf":[{"$ref":"#/definitions/d%d"},{"$ref":"#/definitions/d%d"}]}`, n+1, n, n)
	}
	for schema, body := range map[string]string{
		twice:                                   strings.Repeat(`{"a":`, 150) + `{"a":1}` + strings.Repeat("}", 150),
		laugh + `},"$ref":"#/definitions/d40"}`: `1`,
		`{"$ref":"#"}`:                          `1`,
		`{"allOf":[{"$ref":"#"}]}`:              `1`,
		`{"pattern":"(a{100}){9}b"}`:            `"` + strings.Repeat("a", 1<<20) + `"`,
		`{"uniqueItems":true,"items":{"uniqueItems":true,"items":{"uniqueItems":true,"items":{"uniqueItems":true}}}}`: `[[[[` + strings.Repeat("1e399,", 300000) + `1]]]]`,
	} {
		s, err := one(schema)
		if err != nil {
			t.Errorf("%.60s: %v", schema, err)
			continue
		}
		if err := s.Check([]byte(body)); err == nil {
			t.Errorf("%.60s takes %.40s", schema, body)
		} else if schema == twice && !errors.Is(err, ErrCost) {
			t.Errorf("%v, want %v", err, ErrCost)
		}
	}
}

// FuzzChecksAsTheLibraryDoes compares the answers with those of the library that reads the schemas.
func FuzzChecksAsTheLibraryDoes(f *testing.F) {
	f.Add(`{"type":"object","required":["a"],"properties":{"a":{"type":"integer","minimum":1}}}`, `{"a":1}`)
	f.Add(`{"oneOf":[{"multipleOf":2},{"items":[{}],"additionalItems":false}]}`, `[1,2]`)
	f.Add(`{"patternProperties":{"^a":{"not":{}}},"dependencies":{"b":["c"]},"uniqueItems":true}`, `{"ab":1}`)
	f.Add(`{"$ref":"#/definitions/a","definitions":{"a":{"enum":[1,"a",null]}}}`, `1.0`)
	f.Add(`{"$schema":"http://json-schema.org/draft-07/schema#","if":{"const":1},"then":{"contains":{}},"propertyNames":{"maxLength":1}}`, `[]`)
	f.Fuzz(func(t *testing.T, text, body string) {
		if len(text) > 4096 || len(body) > 4096 || body == "" {
			return
		}
		s, err := one(text)
		if err != nil {
			return
		}
		value, err := decode([]byte(body))
		if err != nil {
			if s.Check([]byte(body)) == nil {
				t.Error("what is no JSON is taken")
			}
			return
		}
		if !exact(value) {
			return
		}
		err = s.Check([]byte(body))
		if errors.Is(err, ErrCost) {
			return
		}
		var document any
		if document, err = decode([]byte(text)); err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		c.DefaultDraft(jsonschema.Draft4)
		if err := c.AddResource(address("m"), document); err != nil {
			t.Fatal(err)
		}
		library, err := c.Compile(address("m"))
		if err != nil {
			return
		}
		if theirs, ours := library.Validate(value), s.Check([]byte(body)); (theirs == nil) != (ours == nil) {
			t.Errorf("%s of %s: the library says %v, we say %v", body, text, theirs, ours)
		}
	})
}

// exact says whether all numbers of a value are counted with exactly.
func exact(value any) bool {
	switch value := value.(type) {
	case map[string]any:
		for _, v := range value {
			if !exact(v) {
				return false
			}
		}
	case []any:
		for _, v := range value {
			if !exact(v) {
				return false
			}
		}
	case json.Number:
		return small(value)
	}
	return true
}
