package model

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
)

// A Table is the condensed service model.
type Table struct {
	Service    Service           `json:"service"`
	Operations []*Operation      `json:"operations"`
	Shapes     map[string]*Shape `json:"shapes"`

	Exceptions map[string]Exception `json:"exceptions"` // by name
}

// A Service is how a service is called.
type Service struct {
	Scope    string `json:"scope"`    // its name in the credential scope of signatures
	Protocol string `json:"protocol"` // rest-json, json or query
	// Protocols are all that the service speaks, if there are several. Protocol is the one that
	// requests are encoded in.
	Protocols    []string `json:"protocols,omitempty"`
	JSONVersion  string   `json:"jsonVersion,omitempty"`  // of json: 1.0 or 1.1
	TargetPrefix string   `json:"targetPrefix,omitempty"` // of json: what X-Amz-Target has before the dot
	Version      string   `json:"version,omitempty"`      // of query: the API's, a date
	Namespace    string   `json:"namespace,omitempty"`    // of query: that of the XML
	// Qualifies says that complaints name members of the body with the operation before them:
	// putIntegrationInput.type.
	Qualifies bool `json:"qualifies,omitempty"`
}

// An Exception is an error of the API.
type Exception struct {
	Status  int    `json:"status"`  // HTTP
	Message string `json:"message"` // the member that holds the text: message or Message
	// Code is its name in the query protocol, if that is another and the service speaks several.
	Code string `json:"code,omitempty"`
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
	Service
	operations []*Operation
	exceptions map[string]Exception
	root       node
	shapes     map[string]*Shape
}

// New reads a table that condense has made.
func New(table []byte) *Model {
	var t Table
	if err := json.Unmarshal(table, &t); err != nil {
		panic(err) // it is part of the program
	}
	for name, shape := range t.Shapes {
		if err := shape.link(&t); err != nil {
			panic(fmt.Sprintf("shape %s: %v", name, err))
		}
	}
	m := &Model{Service: t.Service, operations: t.Operations, exceptions: t.Exceptions, shapes: t.Shapes}
	for _, o := range t.Operations {
		if o.input = t.Shapes[o.Input]; o.input == nil {
			o.input = &Shape{Type: "structure"} // it has no input
		}
		for _, member := range o.input.Members {
			if t.Service.Qualifies && member.Location == "" {
				member.path = lowerFirst(o.Name) + "Input." + lowerFirst(member.Name)
			}
		}
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

// Speaks reports whether the service speaks a protocol.
func (s *Service) Speaks(protocol string) bool {
	return s.Protocol == protocol || slices.Contains(s.Protocols, protocol)
}

// Operations are all operations of the API in the order of their names.
func (m *Model) Operations() []*Operation { return m.operations }

// Listed are the values of a shape's enumeration that AWS's complaints show.
func (m *Model) Listed(shape string) []string {
	s := m.shapes[shape]
	if s.Listed != nil {
		return s.Listed
	}
	return s.Enum
}

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
