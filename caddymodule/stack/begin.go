package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/stack/template"
	"github.com/hearthfn/hearth/warmpool/state"
)

func newUUID() string { return uuid.NewString() }

// A Request is what a client asks for a stack.
type Request struct {
	Name     string
	Body     string // the template; "": as it was
	Original string // before transforms, as it was given
	Given
	// Older are Values as change sets have them that were made before secrets were encrypted.
	Older    map[string]string `json:"Values,omitempty"`
	Previous []string          // parameters that keep their values
	Tags     []Tag
	KeepTags bool
	// Capabilities are what the client knows that the template does.
	Capabilities []string
	RoleARN      string
	OnFailure    string
	Token        string
	By           Identity
	Protected    bool
	Policy       string
	TimeoutMin   int
	Parent, Root string
	Direct       bool // no change set shows what it does
	Import       bool `json:",omitempty"` // resources that are there already are to be taken over
	// ExceptOnCreate is as in Operation.
	ExceptOnCreate bool      `json:",omitempty"`
	ID             string    // of the stack, if it is chosen already
	At             time.Time // when transforms are applied
}

func missingStack(nameOrID string) error { return invalid("Stack with id %s does not exist", nameOrID) }

// Stack finds a stack by its name or ID. One that is gone is found by its ID alone.
func (e *Engine) Stack(ctx context.Context, nameOrID string) (*Stack, error) {
	s, _, err := e.find(ctx, nameOrID)
	return s, err
}

func (e *Engine) find(ctx context.Context, nameOrID string) (*Stack, state.Revision, error) {
	s, revision, err := e.store.stack(ctx, nameOrID)
	if errors.Is(err, ErrNotFound) {
		err = missingStack(nameOrID)
	}
	return s, revision, err
}

// A prepared is a template that was checked for a stack.
type prepared struct {
	template *template.Template
	plan     *template.Plan
	body     string // after transforms
	original string
	given    Given
}

// Prepare checks what a client asks for: the template, its parameters, its capabilities.
func (e *Engine) prepare(ctx context.Context, in *Request, s *Stack) (*prepared, error) {
	p := &prepared{body: in.Body, original: in.Body}
	if s.Parent != "" { // a secret of the stack around it stays one
		in.Hidden = append(in.Hidden, s.Hidden...)
	}
	if in.Body == "" {
		var err error
		if p.original, err = e.store.template(ctx, s.ID, s.Original); err != nil {
			return nil, err
		}
		p.body = p.original
	}
	document, err := template.Decode([]byte(p.body))
	if err != nil {
		return nil, explained(err)
	}
	values := make(map[string]string)
	for name, v := range in.Values {
		values[name] = v
	}
	for _, name := range in.Previous {
		v, had := s.Values[name]
		switch {
		case !had && s.Sealed != "" && slices.Contains(s.Hidden, name):
			return nil, invalid("Parameter %s cannot keep its value: %s", name, errSealed)
		case !had:
			return nil, invalid("Invalid input for parameter key %s. Cannot specify usePreviousValue as true for a parameter key not in the previous template", name)
		}
		values[name] = v
	}
	expanded, err := e.expand(ctx, document, in, values)
	if err != nil {
		return nil, explained(err)
	}
	if expanded != nil {
		if p.body, err = jsonOf(expanded); err != nil {
			return nil, err
		}
		document = expanded
	}
	if p.template, err = template.New(document); err != nil {
		return nil, explained(err)
	}
	if p.plan, err = e.resolve(ctx, p.template, s, Given{Values: values, Hidden: in.Hidden}, in.By); err != nil {
		return nil, explained(err)
	}
	if err := capable(p.template, in.Capabilities); err != nil {
		return nil, err
	}
	if err := e.check(p.plan); err != nil {
		return nil, err
	}
	p.given = Given{Values: given(p.template, p.plan, values), Hidden: p.plan.Hidden}
	return p, nil
}

// capable refuses a template that does more than the client knows.
func capable(t *template.Template, capabilities []string) error {
	needed, _ := t.Capabilities()
	switch needed {
	case "CAPABILITY_NAMED_IAM":
		if slices.Contains(capabilities, needed) {
			return nil
		}
	case "CAPABILITY_IAM":
		if slices.Contains(capabilities, needed) || slices.Contains(capabilities, "CAPABILITY_NAMED_IAM") {
			return nil
		}
	default:
		return nil
	}
	return &awsapi.Exception{Name: "InsufficientCapabilitiesException", Message: "Requires capabilities : [" + needed + "]"}
}

// arn is the ID of a stack.
func (e *Engine) arn(name, id string) string {
	return "arn:aws:cloudformation:" + e.account().Region + ":" + e.account().ID + ":stack/" + name + "/" + id
}

// Create makes a stack. It answers when the stack is written down; the work goes on.
func (e *Engine) Create(ctx context.Context, in *Request) (*Stack, error) {
	if was, _, err := e.store.stack(ctx, in.Name); err == nil {
		if in.Token != "" && was.Operation.Token == in.Token {
			return was, nil
		}
		return nil, &awsapi.Exception{Name: "AlreadyExistsException", Message: "Stack [" + in.Name + "] already exists"}
	}
	s := e.newStack(in)
	var err error
	if in.By, err = e.acting(ctx, in.By, in.RoleARN); err != nil {
		return nil, err
	}
	p, err := e.prepare(ctx, in, s)
	if err != nil {
		return nil, err
	}
	s.Status, s.Reason = Creating, "User Initiated"
	changes, err := e.begin(s, in, p)
	if err != nil {
		return nil, err
	}
	return s, e.found(ctx, s, in, changes)
}

func (e *Engine) newStack(in *Request) *Stack {
	return &Stack{Name: in.Name, ID: cmp.Or(in.ID, e.arn(in.Name, newUUID())), Created: e.now(), Parent: in.Parent, Root: in.Root}
}

// begin takes over what a client asks, and is the changes that write it.
func (e *Engine) begin(s *Stack, in *Request, p *prepared) ([]state.Change, error) {
	version := newUUID()
	s.Version = Version{
		Description: p.template.Description, Template: version, Original: version, Parameters: shown(p.plan), Given: p.given, Tags: in.Tags,
		Capabilities: in.Capabilities, RoleARN: in.RoleARN, Outputs: s.Outputs, Imports: p.plan.Imports, ChangeSetID: s.ChangeSetID,
	}
	s.Timeout = time.Duration(in.TimeoutMin) * time.Minute
	s.OnFailure, s.Operation = in.OnFailure, Operation{ID: newUUID(), Token: in.Token, Began: e.now(), By: in.By, ExceptOnCreate: in.ExceptOnCreate}
	changes := []state.Change{putTemplate(version, p.body)}
	if p.original != p.body {
		s.Original = version + "-original"
		changes = append(changes, putTemplate(s.Original, p.original))
	}
	for _, c := range changes {
		if len(c.Value) > state.MaxValue {
			return nil, invalid("The template is larger than this server keeps: %d bytes, compressed", len(c.Value))
		}
	}
	return changes, nil
}

// foundWithin bounds how long a name is taken by somebody who writes a stack of that name.
const foundWithin = 10 * time.Second

// found writes a new stack and starts to work on it.
func (e *Engine) found(ctx context.Context, s *Stack, in *Request, changes []state.Change) error {
	stacks, err := e.store.all(ctx)
	if err != nil {
		return err
	}
	if len(stacks) >= MaxStacks+maxGone {
		return &awsapi.Exception{Name: "LimitExceededException", Message: fmt.Sprintf("Limit for stack has been exceeded: %d", MaxStacks)}
	}
	// The name first: two stacks cannot have it. A crash leaves a name without a stack, which
	// counts as free.
	turn, err := e.Store.Take(ctx, state.Claim{Name: "stack-name/" + s.Name, Limit: 1, Count: 1, For: foundWithin})
	if err != nil {
		return err
	}
	taken := &awsapi.Exception{Name: "AlreadyExistsException", Message: "Stack [" + s.Name + "] already exists"}
	if turn.Count == 0 {
		return taken
	}
	defer func() { _ = e.Store.Return(ctx, turn) }() // else it ends by its time
	var was string
	revision, err := e.store.get(ctx, ownerNames, s.Name, &was)
	if err == nil {
		if _, _, err := e.store.stack(ctx, s.Name); err == nil {
			return taken
		}
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	name, err := put(s.Name, revision, s.ID)
	if err != nil {
		return err
	}
	if _, err := e.Store.Change(ctx, ownerNames, name); err != nil {
		if errors.Is(err, state.ErrConflict) {
			err = taken
		}
		return err
	}
	setting, err := put(recordSetting, state.Any, &Setting{Protected: in.Protected, Policy: in.Policy})
	if err != nil {
		return err
	}
	return e.launch(ctx, s, state.Absent, 0, append(changes, setting))
}

// launch writes a stack whose status asks for work, and starts the work.
func (e *Engine) launch(ctx context.Context, s *Stack, revision state.Revision, events int, changes []state.Change) error {
	record, err := e.store.putStack(revision, s)
	if err != nil {
		return err
	}
	event := stackEvent(s)
	event.complete(e, s, events+1)
	told, err := put(eventName(events+1), state.Any, event)
	if err != nil {
		return err
	}
	if _, err := e.Store.Change(ctx, owner(s.ID), append(changes, record, told)...); err != nil {
		if errors.Is(err, state.ErrConflict) {
			err = busy(s, "updated")
		}
		return err
	}
	if s.Busy() {
		e.start(s.ID)
	}
	return nil
}

func busy(s *Stack, what string) error {
	return invalid("Stack:%s is in %s state and can not be %s.", s.ID, s.Status, what)
}

// updatable are the statuses from which a stack can be updated.
var updatable = []string{Created, Updated, UndoneUpdate, CreateFailed, UpdateFailed}

// Update changes a stack.
func (e *Engine) Update(ctx context.Context, in *Request) (*Stack, error) {
	s, revision, err := e.find(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	if s.Status == Deleted || s.Status == InReview {
		return nil, missingOrReview(s)
	}
	if in.Token != "" && s.Operation.Token == in.Token {
		return s, nil
	}
	if !slices.Contains(updatable, s.Status) {
		return nil, busy(s, "updated")
	}
	in.RoleARN = cmp.Or(in.RoleARN, s.RoleARN)
	if in.By, err = e.acting(ctx, in.By, in.RoleARN); err != nil {
		return nil, err
	}
	p, err := e.prepare(ctx, in, s)
	if err != nil {
		return nil, err
	}
	if in.KeepTags {
		in.Tags = s.Tags
	}
	same, err := e.unchanged(ctx, s, in, p)
	if err != nil {
		return nil, err
	}
	if same {
		return nil, invalid("No updates are to be performed.")
	}
	return s, e.renew(ctx, s, revision, in, p)
}

func missingOrReview(s *Stack) error {
	if s.Status == Deleted {
		return invalid("Stack [%s] does not exist", s.Name)
	}
	return busy(s, "updated")
}

// renew begins an update.
func (e *Engine) renew(ctx context.Context, s *Stack, revision state.Revision, in *Request, p *prepared, more ...state.Change) error {
	before := s.Version
	changes, err := e.begin(s, in, p)
	if err != nil {
		return err
	}
	s.Before, s.Status, s.Reason, s.Updated = &before, Updating, "User Initiated", e.now()
	if !slices.ContainsFunc([]string{"ROLLBACK", "DO_NOTHING"}, func(v string) bool { return v == s.OnFailure }) {
		s.OnFailure = "ROLLBACK"
	}
	last, err := e.store.lastEvent(ctx, s.ID)
	if err != nil {
		return err
	}
	return e.launch(ctx, s, revision, last, append(changes, more...))
}

// unchanged reports whether an update would change nothing.
func (e *Engine) unchanged(ctx context.Context, s *Stack, in *Request, p *prepared) (bool, error) {
	if s.Status == CreateFailed || s.Status == UpdateFailed || !equalMaps(p.given.Values, s.Values) || !slices.Equal(in.Tags, s.Tags) || !slices.Equal(shown(p.plan), s.Parameters) {
		return false, nil
	}
	body, err := e.store.template(ctx, s.ID, s.Template)
	return err == nil && sameTemplate(body, p.body), err
}

// Delete removes a stack. One that is not there is removed already.
func (e *Engine) Delete(ctx context.Context, nameOrID, token, roleARN string, retain []string, by Identity) (id string, err error) {
	s, revision, err := e.store.stack(ctx, nameOrID)
	if errors.Is(err, ErrNotFound) || err == nil && (s.Status == Deleted || s.Status == Deleting) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var setting Setting
	if _, err := e.store.get(ctx, owner(s.ID), recordSetting, &setting); err != nil && !errors.Is(err, ErrNotFound) {
		return "", err
	}
	switch {
	case setting.Protected && s.Parent == "":
		return "", invalid("Stack [%s] cannot be deleted while TerminationProtection is enabled", s.Name)
	case s.Busy():
		return "", invalid("Stack [%s] cannot be deleted while in status %s", s.ID, s.Status)
	case len(retain) > 0 && s.Status != DeleteFailed:
		return "", invalid("Invalid operation on stack [%s]. RetainResources is only for stacks in the status DELETE_FAILED", s.ID)
	}
	for _, o := range s.Outputs {
		if o.ExportName == "" {
			continue
		}
		if err := e.unused(ctx, o.ExportName); err != nil {
			return "", invalid("%s", err)
		}
	}
	s.RoleARN = cmp.Or(roleARN, s.RoleARN)
	if by, err = e.acting(ctx, by, s.RoleARN); err != nil {
		return "", err
	}
	s.Status, s.Reason = Deleting, "User Initiated"
	s.Operation = Operation{ID: newUUID(), Token: token, Began: e.now(), By: by, Retain: retain}
	last, err := e.store.lastEvent(ctx, s.ID)
	if err != nil {
		return "", err
	}
	return s.ID, e.launch(ctx, s, revision, last, nil)
}

// release frees the name and the exports of a stack that goes, and forgets older ones.
func (e *Engine) release(ctx context.Context, s *Stack) error {
	if err := e.withdraw(ctx, s, nil); err != nil {
		return err
	}
	var id string
	revision, err := e.store.get(ctx, ownerNames, s.Name, &id)
	if err == nil && id == s.ID {
		_, err = e.Store.Change(ctx, ownerNames, state.Delete(s.Name, revision))
	}
	if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, state.ErrConflict) {
		return err
	}
	stacks, err := e.store.all(ctx)
	if err != nil {
		return err
	}
	gone := 0
	for _, one := range stacks { // the newest first
		if one.Status != Deleted {
			continue
		}
		if gone++; gone > maxGone {
			if err := e.store.remove(ctx, one.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// A Setting is what can be changed of a stack at any time.
type Setting struct {
	Protected bool   `json:",omitempty"`
	Policy    string `json:",omitempty"` // of updates; it is kept and given back
}

// Setting reads the settings of a stack.
func (e *Engine) Setting(ctx context.Context, id string) (Setting, error) {
	var setting Setting
	_, err := e.store.get(ctx, owner(id), recordSetting, &setting)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return setting, err
}

// Set changes the settings of a stack.
func (e *Engine) Set(ctx context.Context, id string, change func(*Setting)) error {
	var setting Setting
	revision, err := e.store.get(ctx, owner(id), recordSetting, &setting)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	change(&setting)
	record, err := put(recordSetting, revision, &setting)
	if err != nil {
		return err
	}
	_, err = e.Store.Change(ctx, owner(id), record)
	return err
}

// dropTemplates removes the templates that the stack does not need any more.
func (r *run) dropTemplates(ctx context.Context) error {
	records, err := r.engine.Store.List(ctx, owner(r.id), recordTemplate, "", page)
	if err != nil {
		return err
	}
	var changes []state.Change
	for _, one := range records {
		name := strings.TrimPrefix(one.Name, recordTemplate)
		if name != r.stack.Template && name != r.stack.Original && !strings.HasPrefix(name, recordChangeSet) {
			changes = append(changes, state.Delete(one.Name, state.Any))
		}
	}
	if len(changes) == 0 {
		return nil
	}
	_, err = r.engine.Store.Change(ctx, owner(r.id), changes...)
	return err
}
