// Command condense reads the public service model of AWS Lambda (service-2.json,
// as botocore has it) and writes the table that package model embeds: what a
// request is routed and checked by, without documentation and responses.
//
//	go run ./condense < service-2.json > lambda.json
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/lambdaapi/model"
)

type service struct {
	Operations map[string]struct {
		HTTP struct {
			Method       string
			RequestURI   string `json:"requestUri"`
			ResponseCode int
		}
		Input  struct{ Shape string }
		Errors []struct{ Shape string }
	}
	Shapes map[string]*shape
}

type shape struct {
	Type     string
	Members  members
	Required []string
	Payload  string
	Min, Max *float64
	Pattern  string
	Enum     []string

	Sensitive bool
	Exception bool
	Error     struct{ HTTPStatusCode int }

	Member, Key, Value struct{ Shape string }
}

// members keeps the order of the model: it is the order of AWS's complaints.
type members []member

type member struct {
	name                          string
	Shape, Location, LocationName string
}

func (m *members) UnmarshalJSON(data []byte) error {
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	if _, err := decoder.Token(); err != nil {
		return err
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		one := member{name: name.(string)}
		if err := decoder.Decode(&one); err != nil {
			return err
		}
		*m = append(*m, one)
	}
	return nil
}

// translated are the patterns that look ahead or behind, which Go's regular
// expressions do not do, as ones that match the same.
var translated = map[string]string{
	`(?!^[0-9]+$)([a-zA-Z0-9-_]+)`: `[a-zA-Z0-9-_]*[a-zA-Z-_][a-zA-Z0-9-_]*`,
	`((?!^\d+$)^[0-9a-zA-Z-_]+$)`:  `[a-zA-Z0-9-_]*[a-zA-Z-_][a-zA-Z0-9-_]*`,
	`[0-9A-Za-z\.\-_]*(?<!\.)`:     `([0-9A-Za-z.\-_]*[0-9A-Za-z\-_])?`,
	// A collection's name may not begin with "system."; the reader of the collection
	// checks that.
	`(^(?!(system\x2e)))(^[_a-zA-Z0-9])([^$]*)`: `[_a-zA-Z0-9][^$]*`,
	`(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]{1,64})(:((?!\d+$)[0-9a-zA-Z-_]+))?`: `(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]{1,64})(:([a-zA-Z0-9-_]*[a-zA-Z-_][a-zA-Z0-9-_]*))?`,
}

// quoted are the patterns that AWS's answers quote where they are not the model's, by
// the name of the shape.
var quoted = map[string]string{
	"NamespacedFunctionName": `(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?`,
	"LayerVersionArn":        `(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+)`,
	"TaggableResource":       `arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)`,
}

// listed are the values that AWS's answers list where they, or their order, are not
// the model's.
var listed = map[string][]string{
	"InvokeMode":          {"RESPONSE_STREAM", "BUFFERED"},
	"RecursiveLoop":       {"Terminate", "Allow"},
	"SnapStartApplyOn":    {"PublishedVersions", "None"},
	"EventSourcePosition": {"LATEST", "AT_TIMESTAMP", "TRIM_HORIZON"},
	"Runtime":             model.Runtimes,
}

// early are members that AWS complains of before those that its model names first.
var early = []string{"PublishLayerVersionRequest.CompatibleRuntimes"}

// unchecked are members that AWS checks behind the model, under another error: their
// shape is that of any text.
var unchecked = []string{"CreateFunctionRequest.Runtime", "UpdateFunctionConfigurationRequest.Runtime"}

func main() {
	log.SetFlags(0)
	if err := condense(os.Stdin, os.Stdout); err != nil {
		log.Fatalf("condense: %v", err)
	}
}

func condense(r io.Reader, w io.Writer) error {
	var s service
	if err := json.NewDecoder(r).Decode(&s); err != nil {
		return fmt.Errorf("read the service model: %w", err)
	}
	t := model.Table{Shapes: map[string]*model.Shape{}, Exceptions: map[string]model.Exception{}}
	for _, name := range slices.Sorted(maps.Keys(s.Operations)) {
		o := s.Operations[name]
		operation := &model.Operation{
			Name: name, Method: o.HTTP.Method, URI: o.HTTP.RequestURI, Status: o.HTTP.ResponseCode, Input: o.Input.Shape,
			Payload: s.Shapes[o.Input.Shape].Payload,
		}
		for _, e := range o.Errors {
			operation.Errors = append(operation.Errors, e.Shape)
			t.Exceptions[e.Shape] = s.exception(e.Shape)
		}
		t.Operations = append(t.Operations, operation)
		if err := s.add(&t, o.Input.Shape); err != nil {
			return err
		}
	}
	return write(w, &t)
}

func (s *service) exception(name string) model.Exception {
	e := model.Exception{Status: s.Shapes[name].Error.HTTPStatusCode, Message: "message"}
	for _, m := range s.Shapes[name].Members {
		if m.name == "Message" {
			e.Message = m.name
		}
	}
	return e
}

// add takes the shape over, and those it is made of.
func (s *service) add(t *model.Table, name string) error {
	if t.Shapes[name] != nil {
		return nil
	}
	from := s.Shapes[name]
	if from == nil {
		return fmt.Errorf("no such shape %q", name)
	}
	to := &model.Shape{
		Type: from.Type, Min: from.Min, Max: from.Max, Pattern: from.Pattern, Enum: from.Enum, Sensitive: from.Sensitive,
		Key: from.Key.Shape, Element: from.Member.Shape + from.Value.Shape, Quoted: quoted[name], Listed: listed[name],
	}
	t.Shapes[name] = to
	if to.Pattern != "" {
		to.Translated = translated[to.Pattern]
		if _, err := regexp.Compile(to.Pattern); err != nil && to.Translated == "" {
			return fmt.Errorf("shape %q: translate its pattern: %w", name, err)
		}
	}
	slices.SortStableFunc(from.Members, func(x, y member) int {
		switch is, other := slices.Contains(early, name+"."+x.name), slices.Contains(early, name+"."+y.name); {
		case is && !other:
			return -1
		case other && !is:
			return 1
		}
		return 0
	})
	references := []string{to.Key, to.Element}
	for _, m := range from.Members {
		if slices.Contains(unchecked, name+"."+m.name) {
			m.Shape = "String"
		}
		to.Members = append(to.Members, &model.Member{
			Name: m.name, Shape: m.Shape, Location: m.Location, LocationName: m.LocationName, Required: slices.Contains(from.Required, m.name),
		})
		references = append(references, m.Shape)
	}
	for _, reference := range references {
		if reference == "" {
			continue
		}
		if err := s.add(t, reference); err != nil {
			return err
		}
	}
	return nil
}

// write puts one thing on a line, so that a new model makes a readable change.
func write(w io.Writer, t *model.Table) error {
	b := bufio.NewWriter(w)
	line := func(value any, last bool) {
		data, err := json.Marshal(value)
		if err != nil {
			panic(err) // strings and numbers always encode
		}
		b.Write(data)
		if !last {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString("{\"operations\": [\n")
	for i, o := range t.Operations {
		line(o, i == len(t.Operations)-1)
	}
	b.WriteString("],\n\"shapes\": {\n")
	names := slices.Sorted(maps.Keys(t.Shapes))
	for i, name := range names {
		fmt.Fprintf(b, "%q: ", name)
		line(t.Shapes[name], i == len(names)-1)
	}
	b.WriteString("},\n\"exceptions\": {\n")
	names = slices.Sorted(maps.Keys(t.Exceptions))
	for i, name := range names {
		fmt.Fprintf(b, "%q: ", name)
		line(t.Exceptions[name], i == len(names)-1)
	}
	b.WriteString("}}\n")
	return b.Flush()
}
