package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// MaxSize is AWS's limit of a model, in bytes. maxValues bounds the values of all models that one
// refers to, and maxDepth how deep JSON is nested.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
const (
	MaxSize   = 400 << 10
	maxValues = 10000
	maxDepth  = 200
)

// Drafts that a model may name. The default is draft 4, as API Gateway has it.
var drafts = map[string]*jsonschema.Draft{
	"json-schema.org/draft-04/schema": jsonschema.Draft4,
	"json-schema.org/draft-06/schema": jsonschema.Draft6,
	"json-schema.org/draft-07/schema": jsonschema.Draft7,
}

// A Schema checks bodies, for any number of goroutines at once.
type Schema struct{ root *node }

// place is the address of a model. AWS's has the ID of the API, which does not matter here.
const place = "https://apigateway.amazonaws.com/restapis/"

// address is that of a model of the API that is read.
func address(name string) string { return place + "this/models/" + name }

// nameOf is the name of the model that a URL leads to.
func nameOf(url string) (string, bool) {
	rest, found := strings.CutPrefix(url, place)
	_, name, below := strings.Cut(rest, "/models/")
	return name, found && below && name != "" && !strings.Contains(name, "/")
}

// Read makes the schema of a model. find gives the text of a model by its name.
func Read(name string, find func(name string) (text string, ok bool)) (*Schema, error) {
	r := &reader{find: find, read: make(map[string]any)}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4)
	c.UseLoader(r)
	c.UseRegexpEngine(expression)
	compiled, err := c.Compile(address(name))
	if err != nil {
		return nil, readError(err)
	}
	m := maker{made: make(map[*jsonschema.Schema]*node)}
	return &Schema{m.node(compiled)}, nil
}

// readError is the part of an error that tells what is wrong.
func readError(err error) error {
	var load *jsonschema.LoadURLError
	if errors.As(err, &load) {
		return load.Err
	}
	var invalid *jsonschema.SchemaValidationError
	if errors.As(err, &invalid) {
		err = invalid.Err
	}
	text := strings.ReplaceAll(err.Error(), address(""), "")
	return errors.New(strings.ToValidUTF8(text[:min(len(text), 500)], ""))
}

// A reader gives the library the models.
type reader struct {
	find   func(name string) (string, bool)
	read   map[string]any
	values int
}

// Load implements jsonschema.URLLoader. It fetches nothing.
func (r *reader) Load(url string) (any, error) {
	name, ok := nameOf(url)
	if !ok {
		return nil, fmt.Errorf("the $ref %.200q is not supported: a $ref leads to a place in the model, or to %sID/models/NAME", url, place)
	}
	if r.read[name] != nil {
		return r.read[name], nil
	}
	text, ok := r.find(name)
	if !ok {
		return nil, fmt.Errorf("the model %.100q, which a $ref leads to, is not there", name)
	}
	document, err := parse(text, &r.values)
	if err != nil {
		return nil, fmt.Errorf("the model %.100q: %w", name, err)
	}
	r.read[name] = document
	return document, nil
}

// parse reads a model.
func parse(text string, values *int) (any, error) {
	if len(text) > MaxSize {
		return nil, fmt.Errorf("it has %d bytes, %d at most", len(text), MaxSize)
	}
	document, err := decode([]byte(text))
	if err != nil {
		return nil, err
	}
	object, ok := document.(map[string]any)
	if !ok {
		return nil, errors.New("it is no JSON object")
	}
	if named, ok := object["$schema"]; ok {
		text, _ := named.(string)
		_, of, _ := strings.Cut(strings.TrimSuffix(text, "#"), "://")
		if drafts[of] == nil {
			return nil, fmt.Errorf("the $schema %.100q is not supported: there are http://json-schema.org/draft-04/schema#, draft-06 and draft-07", text)
		}
	}
	return document, bound(document, values)
}

// bound counts values, and refuses numbers that are too long to count with.
func bound(value any, values *int) error {
	if *values++; *values > maxValues {
		return fmt.Errorf("it has more than %d values, together with the models that it refers to", maxValues)
	}
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			if err := bound(value[name], values); err != nil {
				return err
			}
		}
	case []any:
		for _, v := range value {
			if err := bound(v, values); err != nil {
				return err
			}
		}
	case json.Number:
		if !within(value, longest, largest) {
			return fmt.Errorf("the number %.40s is too long", value)
		}
	}
	return nil
}

// decode reads one JSON value. Numbers stay as they are written.
func decode(text []byte) (any, error) {
	if !shallow(text) {
		return nil, fmt.Errorf("it is nested deeper than %d levels", maxDepth)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil, fmt.Errorf("it is no JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("it is no JSON: there is more after its end")
	}
	return value, nil
}

// shallow says whether JSON is not nested too deep.
func shallow(text []byte) bool {
	depth, quoted := 0, false
	for n := 0; n < len(text); n++ {
		switch c := text[n]; {
		case quoted && c == '\\':
			n++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return false
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return true
}
