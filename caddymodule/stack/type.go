package stack

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
)

// A Type is how resources of a type are made, changed and removed.
type Type struct {
	Name string
	// Check finds a property that the type does not have, before anything is made. Values that
	// depend on other resources are placeholders.
	check func(e *Engine, properties map[string]any) error
	// plan says what the physical ID will be, if that is known before the resource is made. An
	// operation that a crash ends finds the resource by it.
	plan func(w *Work) string
	// exists reports whether there is something with the planned ID already. nil: there cannot be.
	exists func(ctx context.Context, w *Work) (bool, error)
	create func(ctx context.Context, w *Work) error
	// update changes the resource. nil: every change replaces it.
	update func(ctx context.Context, w *Work) error
	// remove removes the resource. Not to find it is success.
	remove func(ctx context.Context, w *Work) error
	// replaces reports whether a change makes a new resource.
	replaces func(w *Work) bool
	tags     tagging
	required []string
}

// tagging is how a type has tags.
type tagging int

const (
	noTags  tagging = iota
	tagList         // [{Key, Value}]
	tagMap          // {KEY: VALUE}
)

// A Work is what is done with one resource.
type Work struct {
	engine *Engine
	caller *caller
	stack  *Stack
	run    *run // nil when a change set asks

	LogicalID  string
	Type       string
	ID         string         // physical
	New, Old   map[string]any // properties; Old is nil for a creation
	Attributes map[string]any
	Note       string   // what the event says of a success
	Secrets    []string // that the service answered
}

// call calls an operation of a service.
func (w *Work) call(ctx context.Context, service, operation string, input map[string]any) (map[string]any, error) {
	return w.caller.call(ctx, service, operation, input)
}

// changed are the properties that differ, in order.
func (w *Work) changed() (names []string) {
	for name := range w.New {
		if !reflect.DeepEqual(w.New[name], w.Old[name]) {
			names = append(names, name)
		}
	}
	for name := range w.Old {
		if _, still := w.New[name]; !still {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (w *Work) differs(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return !reflect.DeepEqual(w.New[name], w.Old[name]) })
}

func (w *Work) text(property string) string { return text(w.New[property]) }

// random is the end of generated names: letters and digits, as AWS has them.
func random(n int) string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: it ends the program instead
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}

// generate makes a name of up to most characters: STACK-LOGICALID-RANDOM.
func (w *Work) generate(most int) string {
	end := "-" + random(12)
	room := most - len(end)
	stack, logical := w.stack.Name, w.LogicalID
	if len(stack)+1+len(logical) > room {
		half := (room - 1) / 2
		if len(stack) < half {
			logical = logical[:room-1-len(stack)]
		} else if len(logical) < room-1-half {
			stack = stack[:room-1-len(logical)]
		} else {
			stack, logical = stack[:half], logical[:room-1-half]
		}
	}
	return stack + "-" + logical + end
}

// A spec describes a type whose resources have an operation each to be made, changed and
// removed.
type spec struct {
	service                string
	create, update, remove string // operations
	read                   string // finds one by the name of named

	named   string        // the property that is the physical ID
	longest int           // of a generated name, in characters
	plain   bool          // a generated name has letters and digits alone
	chosen  func() string // makes the physical ID that the service then takes, see awsapi.WithID
	id      string        // what the output of create has as physical ID, e.g. Role.Arn
	member  string        // the name that update and remove have for it. Default: named, or the last part of id
	parents []string      // properties that the operations need besides
	// ident makes what names a resource in calls, where it is neither.
	ident func(w *Work, properties map[string]any) map[string]any
	// foreign are members of the input of create that are no properties.
	foreign []string

	immutable  []string          // properties whose change replaces
	attributes map[string]string // of Fn::GetAtt, by what outputs call them
	documents  []string          // properties that are JSON, as text for the service
	removed    map[string]any    // what a property is that is taken away. Others are replaced then, unless they have an empty value
	extra      []string          // properties that are no members of the input of create
	refused    map[string]string // properties that are members and not supported, with the reason
	required   []string
	tags       tagging

	// before changes the input of create and update; after is called when the resource was made
	// or changed, with what was answered.
	before func(w *Work, input map[string]any) error
	after  func(ctx context.Context, w *Work, out map[string]any) error
	// arn is that of a resource whose tags other operations change.
	arn func(w *Work) string
	// patch are the properties that update changes one by one, by their path, as API Gateway's
	// REST APIs have it. nil: update takes the properties.
	patch map[string]string
	// undo is called before remove.
	undo func(ctx context.Context, w *Work) error
}

func (s *spec) idMember() string {
	if s.member != "" {
		return s.member
	}
	if s.named != "" {
		return s.named
	}
	return s.id[strings.LastIndexByte(s.id, '.')+1:]
}

// typed makes a type of a description.
func (s *spec) typed(name string) *Type {
	t := &Type{Name: name, check: s.checkNames, create: s.make, remove: s.delete, replaces: s.isReplaced, tags: s.tags, required: s.required}
	if s.named != "" {
		t.plan = func(w *Work) string {
			if given := w.text(s.named); given != "" {
				return given
			}
			if s.plain {
				return strings.ReplaceAll(w.generate(s.longest), "-", "")
			}
			return w.generate(s.longest)
		}
	}
	if s.chosen != nil {
		t.plan = func(*Work) string { return s.chosen() }
	}
	if s.read != "" {
		t.exists = func(ctx context.Context, w *Work) (bool, error) {
			_, err := w.call(ctx, s.service, s.read, s.identity(w, w.New))
			if isNotFound(err) {
				return false, nil
			}
			return err == nil, err
		}
	}
	if s.update != "" {
		t.update = s.change
	}
	return t
}

// shape is the shape of the input of the operation that makes a resource.
func (s *spec) shape(e *Engine, operation string) *model.Shape {
	m := e.services().Models[s.service]
	if m == nil {
		return nil
	}
	route, known := m.Operation(operation)
	if !known {
		return nil
	}
	return route.InputShape()
}

func unsupportedProperty(name string) error {
	return sentence("Encountered unsupported property %s", name)
}

// checkNames refuses properties by name.
func (s *spec) checkNames(e *Engine, properties map[string]any) error {
	shape := s.shape(e, s.create)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if reason, refused := s.refused[name]; refused {
			return fmt.Errorf("property %s is not supported: %s", name, reason)
		}
		if slices.Contains(s.documents, name) || name == "Tags" && s.tags != noTags {
			continue
		}
		if shape == nil || slices.Contains(s.foreign, name) {
			return unsupportedProperty(name)
		}
		m := shape.Member(name)
		if m == nil {
			if slices.Contains(s.extra, name) {
				continue
			}
			return unsupportedProperty(name)
		}
		if err := m.ShapeOf().Extraneous(properties[name], "#/"+name); err != nil {
			return err
		}
	}
	return nil
}

// input is what an operation takes of the properties.
func (s *spec) input(w *Work, operation string) (map[string]any, error) {
	shape := s.shape(w.engine, operation)
	if shape == nil {
		return nil, fmt.Errorf("this server has no operation %s of %s", operation, s.service)
	}
	input := make(map[string]any, len(w.New))
	for name, v := range w.New {
		if slices.Contains(s.extra, name) || shape.Member(name) == nil {
			continue
		}
		if slices.Contains(s.documents, name) {
			if _, isText := v.(string); !isText {
				data, err := json.Marshal(v)
				if err != nil {
					return nil, err
				}
				v = string(data)
			}
		}
		if name == "Tags" && s.tags == tagMap {
			v = tagsOf(v)
		}
		input[name] = v
	}
	return input, nil
}

// tagsOf makes a map of a list of tags, if it is one.
func tagsOf(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	tags := make(map[string]any, len(list))
	for _, one := range list {
		if tag, ok := one.(map[string]any); ok {
			tags[text(tag["Key"])] = text(tag["Value"])
		}
	}
	return tags
}

// identity is what names the resource in calls.
func (s *spec) identity(w *Work, properties map[string]any) map[string]any {
	if s.ident != nil {
		return s.ident(w, properties)
	}
	input := map[string]any{s.idMember(): w.ID}
	for _, name := range s.parents {
		input[name] = properties[name]
	}
	return input
}

func (s *spec) make(ctx context.Context, w *Work) error {
	input, err := s.input(w, s.create)
	if err != nil {
		return err
	}
	if s.named != "" {
		input[s.named] = w.ID
	}
	if s.before != nil {
		if err := s.before(w, input); err != nil {
			return err
		}
	}
	if s.chosen != nil {
		ctx = awsapi.WithID(ctx, w.ID)
	}
	out, err := w.call(ctx, s.service, s.create, input)
	if err != nil {
		return err
	}
	return s.took(ctx, w, out)
}

// newID makes an identifier of n letters and digits.
func newID(n int) func() string { return func() string { return strings.ToLower(random(n)) } }

// took takes over what an operation has answered.
func (s *spec) took(ctx context.Context, w *Work, out map[string]any) error {
	if s.named == "" && w.ID == "" && s.id != "" {
		w.ID = text(value(out, s.id))
	}
	if w.Attributes == nil {
		w.Attributes = make(map[string]any)
	}
	for name, path := range s.attributes {
		if v := value(out, path); v != nil {
			w.Attributes[name] = v
		}
	}
	if s.after != nil {
		return s.after(ctx, w, out)
	}
	return nil
}

func (s *spec) isReplaced(w *Work) bool {
	if s.update == "" || w.differs(s.parents...) || w.differs(s.immutable...) {
		return true
	}
	if s.named != "" && w.differs(s.named) {
		return true
	}
	shape := s.shape(w.engine, s.update)
	for _, name := range w.changed() {
		if slices.Contains(s.extra, name) || name == "Tags" || s.patch[name] != "" {
			continue
		}
		if shape != nil && shape.Member(name) == nil {
			return true // it cannot be changed
		}
		if _, there := w.New[name]; there {
			continue
		}
		if _, known := s.removed[name]; !known && emptyOf(shape, name) == nil {
			return true
		}
	}
	return false
}

// emptyOf is the value of a member that takes away what it had before; nil if there is none.
func emptyOf(shape *model.Shape, name string) any {
	if shape == nil || shape.Member(name) == nil {
		return nil
	}
	switch shape.Member(name).ShapeOf().Type {
	case "string":
		return ""
	case "list":
		return []any{}
	case "map":
		return map[string]any{}
	}
	return nil
}

func (s *spec) change(ctx context.Context, w *Work) error {
	if s.arn != nil && w.differs("Tags") {
		if err := retag(ctx, w, s.service, s.arn(w), tagsOf(w.Old["Tags"]), tagsOf(w.New["Tags"])); err != nil {
			return err
		}
	}
	if s.patch != nil {
		return s.changePatched(ctx, w)
	}
	input, err := s.input(w, s.update)
	if err != nil {
		return err
	}
	shape := s.shape(w.engine, s.update)
	for name := range w.Old {
		if _, still := w.New[name]; still || slices.Contains(s.extra, name) {
			continue
		}
		v, known := s.removed[name]
		if !known {
			v = emptyOf(shape, name)
		}
		if v != nil {
			input[name] = v
		}
	}
	maps.Copy(input, s.identity(w, w.New))
	if s.before != nil {
		if err := s.before(w, input); err != nil {
			return err
		}
	}
	out, err := w.call(ctx, s.service, s.update, input)
	if err != nil {
		return err
	}
	return s.took(ctx, w, out)
}

func (s *spec) delete(ctx context.Context, w *Work) error {
	if w.ID == "" {
		return nil
	}
	if s.undo != nil {
		if err := s.undo(ctx, w); err != nil && !isNotFound(err) {
			return err
		}
	}
	if s.remove == "" {
		return nil
	}
	_, err := w.call(ctx, s.service, s.remove, s.identity(w, w.Old))
	if isNotFound(err) {
		return nil
	}
	return err
}
