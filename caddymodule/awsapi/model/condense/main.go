// Command condense reads the public service model of an AWS service (service-2.json, as
// botocore has it) and writes the table that package model reads: what a request is routed
// and checked by, without documentation and responses.
//
//	go run ./condense [corrections.json] < service-2.json > SERVICE.json
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
)

type service struct {
	Metadata   metadata
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

// metadata says how the service is called.
type metadata struct {
	Protocol, JSONVersion, TargetPrefix string
	Protocols                           []string
	SigningName, EndpointPrefix         string
	APIVersion, XMLNamespace            string
}

// corrections are what AWS's answers show of a service that its model does not say, and what
// Go needs in another form.
type corrections struct {
	// Translated are patterns that look ahead or behind, which Go's regular expressions do
	// not do, as ones that match the same.
	Translated map[string]string
	// Quoted are the patterns that AWS's answers quote where they are not the model's, by the
	// name of the shape.
	Quoted map[string]string
	// Listed are the values that AWS's answers list where they, or their order, are not the
	// model's.
	Listed map[string][]string
	// Reordered are the values of enumerations in the order of AWS's answers, where those list them
	// inside of what lists satisfy.
	Reordered map[string][]string
	// Qualifies is that of the service.
	Qualifies bool
	// Early are members that AWS complains of before those that its model names first.
	Early []string
	// Unchecked are members that AWS checks behind the model, under another error: their shape
	// is that of any text.
	Unchecked []string
	// Answered are the operations whose input the table has. Of the others it has the names
	// alone, which is enough to refuse them. None: all are.
	Answered []string
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
	Error     struct {
		HTTPStatusCode int
		Code           string
	}

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

func main() {
	log.SetFlags(0)
	if err := run(os.Args[1:]); err != nil {
		log.Fatalf("condense: %v", err)
	}
}

func run(args []string) error {
	var c corrections
	if len(args) > 0 {
		data, err := os.ReadFile(args[0])
		if err != nil {
			return err
		}
		if err := json.Unmarshal(data, &c); err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
	}
	return c.condense(os.Stdin, os.Stdout)
}

func (c *corrections) condense(r io.Reader, w io.Writer) error {
	var s service
	if err := json.NewDecoder(r).Decode(&s); err != nil {
		return fmt.Errorf("read the service model: %w", err)
	}
	t := model.Table{Service: s.Metadata.service(), Shapes: map[string]*model.Shape{}, Exceptions: map[string]model.Exception{}}
	for _, name := range slices.Sorted(maps.Keys(s.Operations)) {
		o := s.Operations[name]
		operation := &model.Operation{
			Name: name, Method: o.HTTP.Method, URI: o.HTTP.RequestURI, Status: cmp.Or(o.HTTP.ResponseCode, http.StatusOK), Input: o.Input.Shape,
		}
		if c.Answered != nil && !slices.Contains(c.Answered, name) {
			operation.Input = ""
			t.Operations = append(t.Operations, operation)
			continue
		}
		if input := s.Shapes[o.Input.Shape]; input != nil {
			operation.Payload = input.Payload
			if err := c.add(&s, &t, o.Input.Shape); err != nil {
				return err
			}
		}
		for _, e := range o.Errors {
			code := e.Shape
			if t.Service.Protocol == "query" {
				code = cmp.Or(s.Shapes[e.Shape].Error.Code, code)
			}
			operation.Errors = append(operation.Errors, code)
			t.Exceptions[code] = s.exception(e.Shape)
		}
		t.Operations = append(t.Operations, operation)
	}
	t.Service.Qualifies = c.Qualifies
	return write(w, &t)
}

func (m metadata) service() model.Service {
	t := model.Service{Scope: cmp.Or(m.SigningName, m.EndpointPrefix), Protocol: m.Protocol, JSONVersion: m.JSONVersion, TargetPrefix: m.TargetPrefix}
	if slices.Contains(m.Protocols, "query") && slices.Contains(m.Protocols, "json") {
		t.Protocol, t.Protocols = "json", m.Protocols
	}
	if t.Speaks("query") {
		t.Version, t.Namespace = m.APIVersion, m.XMLNamespace
	}
	return t
}

func (s *service) exception(name string) model.Exception {
	e := model.Exception{Status: s.Shapes[name].Error.HTTPStatusCode, Message: "message"}
	if code := s.Shapes[name].Error.Code; code != name && len(s.Metadata.Protocols) > 1 {
		e.Code = code
	}
	for _, m := range s.Shapes[name].Members {
		if m.name == "Message" {
			e.Message = m.name
		}
	}
	return e
}

// lengths are the names of shapes that say what their texts' lengths are.
var lengths = regexp.MustCompile(`WithLengthBetween(\d+)And(\d+)$`)

// codePoints are code points as Java's expressions have them, and Go's do not.
var codePoints = regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`)

func number(digits string) *float64 {
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		panic(err) // lengths matches digits
	}
	return &n
}

// add takes the shape over, and those it is made of.
func (c *corrections) add(s *service, t *model.Table, name string) error {
	if t.Shapes[name] != nil {
		return nil
	}
	from := s.Shapes[name]
	if from == nil {
		return fmt.Errorf("no such shape %q", name)
	}
	to := &model.Shape{
		Type: from.Type, Min: from.Min, Max: from.Max, Pattern: from.Pattern, Enum: from.Enum, Sensitive: from.Sensitive,
		Key: from.Key.Shape, Element: from.Member.Shape + from.Value.Shape, Quoted: c.Quoted[name], Listed: c.Listed[name],
	}
	if named := lengths.FindStringSubmatch(name); named != nil && to.Type == "string" && to.Min == nil && to.Max == nil {
		to.Min, to.Max = number(named[1]), number(named[2])
	}
	if order := c.Reordered[name]; order != nil {
		to.Enum = order
	}
	t.Shapes[name] = to
	if to.Pattern != "" {
		to.Translated = c.Translated[to.Pattern]
		if points := codePoints.ReplaceAllString(to.Pattern, `\x{$1}`); to.Translated == "" && points != to.Pattern {
			to.Translated = points
		}
		if _, err := regexp.Compile(to.Pattern); err != nil && to.Translated == "" {
			return fmt.Errorf("shape %q: translate its pattern: %w", name, err)
		}
	}
	slices.SortStableFunc(from.Members, func(x, y member) int {
		switch is, other := slices.Contains(c.Early, name+"."+x.name), slices.Contains(c.Early, name+"."+y.name); {
		case is && !other:
			return -1
		case other && !is:
			return 1
		}
		return 0
	})
	references := []string{to.Key, to.Element}
	for _, m := range from.Members {
		if slices.Contains(c.Unchecked, name+"."+m.name) {
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
		if err := c.add(s, t, reference); err != nil {
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
	b.WriteString("{\"service\": ")
	line(t.Service, false)
	b.WriteString("\"operations\": [\n")
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
