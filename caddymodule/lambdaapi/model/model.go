package model

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
)

//go:embed lambda.json
var table []byte

// Runtimes are the runtimes that AWS lists in its error for an unknown one.
var Runtimes = []string{
	"nodejs20.x", "python3.14", "provided.al2023", "python3.12", "python3.13", "nodejs24.x", "nodejs22.x", "java25", "python3.10", "python3.11", "java21", "ruby3.3",
	"ruby3.4", "ruby3.2", "python3.8", "python3.9", "java17", "nodejs16.x", "dotnet10", "dotnet8", "java11", "dotnet6", "nodejs18.x", "provided.al2", "java8.al2",
}

// A Table is the condensed service model.
type Table struct {
	Operations []*Operation      `json:"operations"`
	Shapes     map[string]*Shape `json:"shapes"`

	Exceptions map[string]Exception `json:"exceptions"` // by name
}

// An Exception is an error of the API.
type Exception struct {
	Status  int    `json:"status"`  // HTTP
	Message string `json:"message"` // the member that holds the text: message or Message
}

// An Operation is one call of the API.
type Operation struct {
	Name    string   `json:"name"`
	Method  string   `json:"method"`
	URI     string   `json:"uri"`               // e.g. /2015-03-31/functions/{FunctionName}
	Status  int      `json:"status"`            // of a success
	Input   string   `json:"input"`             // shape
	Payload string   `json:"payload,omitempty"` // the member that is the whole body
	Errors  []string `json:"errors,omitempty"`  // exceptions of its own

	input  *Shape
	labels []string // of the URI, in order
}

// A Shape is a type and what its values must satisfy.
type Shape struct {
	Type      string    `json:"type"` // structure, list, map, string, integer, long, double, boolean, blob, timestamp
	Members   []*Member `json:"members,omitempty"`
	Key       string    `json:"key,omitempty"`     // shape of a map's keys
	Element   string    `json:"element,omitempty"` // shape of what a list or map holds
	Min       *float64  `json:"min,omitempty"`     // of a value, or of a length
	Max       *float64  `json:"max,omitempty"`
	Pattern   string    `json:"pattern,omitempty"` // as AWS shows it
	Enum      []string  `json:"enum,omitempty"`
	Sensitive bool      `json:"sensitive,omitempty"` // not to be shown

	// Quoted and Listed are what AWS's complaints show in place of Pattern and Enum.
	Quoted string   `json:"quoted,omitempty"`
	Listed []string `json:"listed,omitempty"`

	// Translated is Pattern for Go, where it needs that.
	Translated string `json:"translated,omitempty"`

	pattern      *regexp.Regexp
	key, element *Shape
}

// A Member is a field of a structure.
type Member struct {
	Name         string `json:"name"`
	Shape        string `json:"shape"`
	Required     bool   `json:"required,omitempty"`
	Location     string `json:"location,omitempty"` // uri, querystring, header; else the body
	LocationName string `json:"locationName,omitempty"`

	shape *Shape
	path  string // the name as AWS's complaints have it
}

// A Model is the table, ready for use. It does not change.
type Model struct {
	operations []*Operation
	exceptions map[string]Exception
	root       node
	shapes     map[string]*Shape
}

// New reads the embedded table.
func New() *Model {
	var t Table
	if err := json.Unmarshal(table, &t); err != nil {
		panic(err) // it was made by condense
	}
	for name, shape := range t.Shapes {
		if err := shape.link(&t); err != nil {
			panic(fmt.Sprintf("shape %s: %v", name, err))
		}
	}
	m := &Model{operations: t.Operations, exceptions: t.Exceptions, shapes: t.Shapes}
	for _, o := range t.Operations {
		o.input = t.Shapes[o.Input]
		m.root.add(o)
	}
	return m
}

func (s *Shape) link(t *Table) (err error) {
	s.key, s.element = t.Shapes[s.Key], t.Shapes[s.Element]
	for _, m := range s.Members {
		m.shape = t.Shapes[m.Shape]
		m.path = lowerFirst(m.Name)
	}
	if s.Pattern == "" {
		return nil
	}
	pattern := s.Pattern
	if s.Translated != "" {
		pattern = s.Translated
	}
	s.pattern, err = regexp.Compile(`\A(?:` + pattern + `)\z`)
	return err
}

// Operations are all operations of the API in the order of their names.
func (m *Model) Operations() []*Operation { return m.operations }

// Takes reports whether a shape has a value in its enumeration.
func (m *Model) Takes(shape, value string) bool { return slices.Contains(m.shapes[shape].Enum, value) }

// Exception describes an exception. ok is false for exceptions that are common to all
// services, because the model does not know them.
// https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html
func (m *Model) Exception(name string) (e Exception, ok bool) {
	e, ok = m.exceptions[name]
	return e, ok
}

// lowerFirst is a member's name as AWS's messages have it: functionName, but also uUID,
// because they only change the first letter.
func lowerFirst(name string) string {
	if name == "" || name[0] < 'A' || name[0] > 'Z' {
		return name
	}
	return string(name[0]+'a'-'A') + name[1:]
}
