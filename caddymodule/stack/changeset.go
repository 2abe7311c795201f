package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/warmpool/state"
)

// A ChangeSet is what an operation would do, kept until somebody executes it.
type ChangeSet struct {
	ID, Name    string // ID is the ARN
	StackID     string
	Type        string // CREATE or UPDATE
	Status      string // CREATE_COMPLETE or FAILED
	Reason      string `json:",omitempty"`
	Execution   string // AVAILABLE, UNAVAILABLE, EXECUTE_COMPLETE
	Description string `json:",omitempty"`
	Created     time.Time
	Parameters  []Parameter `json:",omitempty"`
	Changes     []Change    `json:",omitempty"`
	Request     Request
	Template    string // name of the record
	Original    string
	Values      string `json:",omitempty"` // name of the record with what changes from and to
}

// A Change is what a change set does with a resource.
type Change struct {
	Action       string // Add, Modify or Remove
	LogicalID    string
	PhysicalID   string `json:",omitempty"`
	ResourceType string
	Replacement  string   `json:",omitempty"` // True or False, of Modify
	Properties   []string `json:",omitempty"` // that change
	Tags         bool     `json:",omitempty"` // tags change
	// Before and After are the properties, with stars for secrets. nil: there are none.
	Before, After map[string]any `json:"-"`
}

// Statuses of change sets.
const (
	Complete  = "CREATE_COMPLETE"
	Failed    = "FAILED"
	Available = "AVAILABLE"
	Unusable  = "UNAVAILABLE"
	Executed  = "EXECUTE_COMPLETE"
)

// ErrNoChanges is the reason of a change set that changes nothing.
const ErrNoChanges = "The submitted information didn't contain changes. Submit different information to create a change set."

func missingChangeSet(name string) error {
	return &awsapi.Exception{Name: "ChangeSetNotFound", Message: "ChangeSet [" + name + "] does not exist"}
}

// CreateChangeSet computes what an operation would do. kind is CREATE or UPDATE.
func (e *Engine) CreateChangeSet(ctx context.Context, in *Request, name, kind, description string) (*ChangeSet, error) {
	s, _, err := e.store.stack(ctx, in.Name)
	missing := errors.Is(err, ErrNotFound)
	switch {
	case err != nil && !missing:
		return nil, err
	case kind == "CREATE" && !missing && s.Status != InReview:
		return nil, invalid("Stack [%s] already exists and cannot be created again with the changeSet [%s].", s.Name, name)
	case kind == "UPDATE" && (missing || s.Status == Deleted):
		return nil, invalid("Stack [%s] does not exist", in.Name)
	case kind == "UPDATE" && !slices.Contains(updatable, s.Status):
		return nil, busy(s, "updated")
	case missing:
		s = e.newStack(in)
	}
	if in.By, err = e.acting(ctx, in.By, cmp.Or(in.RoleARN, s.RoleARN)); err != nil {
		return nil, err
	}
	in.At = e.now() // its execution makes the same
	changeSet := &ChangeSet{
		Name: name, StackID: s.ID, Type: kind, Status: Complete, Execution: Available, Description: description, Created: e.now(), Request: *in,
		ID: "arn:aws:cloudformation:" + e.account().Region + ":" + e.account().ID + ":changeSet/" + name + "/" + newUUID(),
	}
	if !missing {
		if err := e.room(ctx, s, name); err != nil {
			return nil, err
		}
	}
	p, err := e.prepare(ctx, in, s)
	if err != nil {
		return nil, err
	}
	if kind == "UPDATE" && in.KeepTags {
		in.Tags, changeSet.Request.Tags = s.Tags, s.Tags
	}
	changeSet.Parameters = shown(p.plan)
	if changeSet.Changes, err = e.changesOf(ctx, s, in, p); err != nil {
		return nil, explained(err)
	}
	if in.Import {
		if err := e.importless(ctx, s, in, p.plan); err != nil {
			return nil, err
		}
	}
	if kind == "UPDATE" {
		same, err := e.unchanged(ctx, s, in, p)
		if err != nil {
			return nil, err
		}
		if same {
			changeSet.Status, changeSet.Execution, changeSet.Reason = Failed, Unusable, ErrNoChanges
		}
	}
	changeSet.Request.Body, changeSet.Request.Original, changeSet.Request.Hidden = "", "", p.given.Hidden
	id := newUUID()
	changeSet.Template, changeSet.Original = recordChangeSet+id, recordChangeSet+id+"-original"
	changeSet.Values = recordChangeSet + id + "-values"
	values, err := putValues(changeSet)
	if err != nil {
		return nil, err
	}
	record, err := e.store.putChangeSet(changeSet)
	if err != nil {
		return nil, err
	}
	changes := []state.Change{record, putTemplate(changeSet.Template, p.body), putTemplate(changeSet.Original, p.original), values}
	if !missing {
		_, err = e.Store.Change(ctx, owner(s.ID), changes...)
		return changeSet, err
	}
	s.Status, s.Reason = InReview, "User Initiated"
	s.Operation.Token = in.Token
	return changeSet, e.found(ctx, s, in, changes)
}

// room refuses a change set whose name is taken, or that is one too many.
func (e *Engine) room(ctx context.Context, s *Stack, name string) error {
	all, err := e.ChangeSets(ctx, s.ID)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(c *ChangeSet) bool { return c.Name == name }) {
		return &awsapi.Exception{Name: "AlreadyExistsException", Message: "ChangeSet " + name + " cannot be created due to a mismatch with existing attribute ChangeSet with the same name already exists"}
	}
	if len(all) >= maxChangeSets {
		return &awsapi.Exception{Name: "LimitExceededException", Message: fmt.Sprintf("ChangeSet limit exceeded: %d", maxChangeSets)}
	}
	return nil
}

// ChangeSets are the change sets of a stack.
func (e *Engine) ChangeSets(ctx context.Context, id string) ([]*ChangeSet, error) {
	all, err := list[ChangeSet](ctx, e.store, owner(id), recordChangeSet)
	for _, one := range all {
		e.store.openChangeSet(id, one)
	}
	return all, err
}

// ChangeSet finds a change set by its name in a stack, or by its ID.
func (e *Engine) ChangeSet(ctx context.Context, stack, nameOrID string) (*ChangeSet, *Stack, error) {
	if strings.HasPrefix(nameOrID, "arn:") && stack == "" {
		stacks, err := e.store.all(ctx)
		if err != nil {
			return nil, nil, err
		}
		for _, s := range stacks {
			if found, err := e.changeSetOf(ctx, s, nameOrID); err == nil || !errors.Is(err, ErrNotFound) {
				return found, s, err
			}
		}
		return nil, nil, missingChangeSet(nameOrID)
	}
	if stack == "" {
		return nil, nil, invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")
	}
	s, _, err := e.find(ctx, stack)
	if err != nil {
		return nil, nil, err
	}
	found, err := e.changeSetOf(ctx, s, nameOrID)
	if errors.Is(err, ErrNotFound) {
		err = missingChangeSet(nameOrID)
	}
	return found, s, err
}

func (e *Engine) changeSetOf(ctx context.Context, s *Stack, nameOrID string) (*ChangeSet, error) {
	name := nameOrID
	if strings.HasPrefix(nameOrID, "arn:") {
		if name = nameOf(nameOrID); len(name) > 128 {
			return nil, ErrNotFound
		}
	}
	found := new(ChangeSet)
	_, err := e.store.get(ctx, owner(s.ID), recordChangeSet+name, found)
	if err == nil && name != nameOrID && found.ID != nameOrID {
		err = ErrNotFound
	}
	e.store.openChangeSet(s.ID, found)
	return found, err
}

// DeleteChangeSet removes a change set. One that is not there is removed already.
func (e *Engine) DeleteChangeSet(ctx context.Context, stack, nameOrID string) error {
	c, s, err := e.ChangeSet(ctx, stack, nameOrID)
	var x *awsapi.Exception
	if errors.As(err, &x) && x.Name == "ChangeSetNotFound" {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = e.Store.Change(ctx, owner(s.ID), c.removal()...)
	return err
}

func (c *ChangeSet) removal() []state.Change {
	gone := []state.Change{
		state.Delete(recordChangeSet+c.Name, state.Any), state.Delete(recordTemplate+c.Template, state.Any), state.Delete(recordTemplate+c.Original, state.Any),
	}
	if c.Values != "" {
		gone = append(gone, state.Delete(recordTemplate+c.Values, state.Any))
	}
	return gone
}

// Execute does what a change set says.
func (e *Engine) Execute(ctx context.Context, stack, nameOrID, token string, by Identity, onFailure string, exceptOnCreate bool) (id string, err error) {
	c, s, err := e.ChangeSet(ctx, stack, nameOrID)
	if err != nil {
		return "", err
	}
	if c.Execution != Available {
		return "", &awsapi.Exception{Name: "InvalidChangeSetStatus", Message: fmt.Sprintf("ChangeSet [%s] cannot be executed in its current status of [%s]", c.ID, cmpStatus(c))}
	}
	s, revision, err := e.find(ctx, s.ID)
	if err != nil {
		return "", err
	}
	if c.Request.Sealed != "" {
		return "", invalid("ChangeSet [%s] cannot be executed: %s", c.ID, errSealed)
	}
	in := c.Request
	if in.Body, err = e.store.template(ctx, s.ID, c.Original); err != nil {
		return "", err
	}
	in.Token, in.ExceptOnCreate = token, exceptOnCreate
	if in.By, err = e.acting(ctx, by, cmp.Or(in.RoleARN, s.RoleARN)); err != nil {
		return "", err
	}
	if onFailure != "" {
		in.OnFailure = onFailure
	}
	if c.Type == "UPDATE" && !slices.Contains(updatable, s.Status) || c.Type == "CREATE" && s.Status != InReview {
		return "", busy(s, "updated")
	}
	in.Name = s.Name
	p, err := e.prepare(ctx, &in, s)
	if err != nil {
		return "", err
	}
	s.ChangeSetID = c.ID
	all, err := e.ChangeSets(ctx, s.ID)
	if err != nil {
		return "", err
	}
	var changes []state.Change
	for _, other := range all {
		if other.Name != c.Name {
			changes = append(changes, other.removal()...)
		}
	}
	c.Execution, c.Request.Hidden = Executed, p.given.Hidden // an older change set does not say what is hidden
	record, err := e.store.putChangeSet(c)
	if err != nil {
		return "", err
	}
	changes = append(changes, record)
	if c.Type == "UPDATE" {
		return s.ID, e.renew(ctx, s, revision, &in, p, changes...)
	}
	last, err := e.store.lastEvent(ctx, s.ID)
	if err != nil {
		return "", err
	}
	s.Status, s.Reason = Creating, "User Initiated"
	begun, err := e.begin(s, &in, p)
	if err != nil {
		return "", err
	}
	return s.ID, e.launch(ctx, s, revision, last, append(changes, begun...))
}

func cmpStatus(c *ChangeSet) string {
	if c.Execution == Executed {
		return c.Execution
	}
	return c.Status
}

// afterApply is what a property has that is known when the change is made.
const afterApply = "{{changeSet:KNOWN_AFTER_APPLY}}"

// changesOf computes what becomes of each resource.
func (e *Engine) changesOf(ctx context.Context, s *Stack, in *Request, p *prepared) (changes []Change, err error) {
	there, err := e.store.resources(ctx, s.ID)
	if err != nil {
		return nil, err
	}
	by := make(map[string]*Resource, len(there))
	for _, one := range there {
		if one.Status != Deleted {
			by[one.LogicalID] = one
		}
		p.plan.Hide(one.Secrets) // resources that change may have secrets of those that do not
	}
	r := &run{engine: e, stack: s, resources: maps.Clone(by), caller: e.callerOf(in.By.actor())}
	fresh := make(map[string]bool) // resources that are made anew
	lookup := attributes(func(id, name string) (any, error) {
		if fresh[id] || r.resources[id] == nil {
			return afterApply, nil
		}
		return r.attribute(id, name)
	})
	for _, id := range p.plan.Order() {
		planned := p.plan.Resource(id)
		change := Change{Action: "Add", LogicalID: id, ResourceType: planned.Type}
		was := by[id]
		if was == nil {
			fresh[id] = true
			if properties, err := p.plan.Preview(id, lookup); err == nil {
				change.After = p.plan.Masked(properties)
			}
			changes = append(changes, change)
			continue
		}
		t := e.typeOf(planned.Type)
		properties, err := p.plan.Properties(id, lookup)
		if err != nil {
			properties = was.Properties // it depends on what is not known
		}
		normal, err := normalize(properties)
		if err != nil {
			return nil, err
		}
		w := r.newWork(id, planned.Type)
		w.ID, w.Old = was.PhysicalID, was.Properties
		if w.New, _ = normal.(map[string]any); w.New == nil {
			w.New = map[string]any{}
		}
		withTags(t, w.New, in.Tags)
		changed := w.changed()
		if len(changed) == 0 && was.Type == planned.Type && reflect.DeepEqual(metadataOf(was), any(planned.Metadata)) {
			continue
		}
		change.Action, change.PhysicalID, change.Replacement, change.Properties = "Modify", was.PhysicalID, "False", changed
		change.Tags = slices.Contains(changed, "Tags")
		change.Before, change.After = maskedOf(p.plan, &was.Thing), p.plan.Masked(w.New)
		if was.Type != planned.Type || len(changed) > 0 && (t.update == nil || t.replaces != nil && t.replaces(w)) {
			change.Replacement = "True"
			fresh[id] = true
		}
		changes = append(changes, change)
	}
	for _, one := range there {
		if one.Status != Deleted && p.plan.Resource(one.LogicalID) == nil {
			changes = append(changes, Change{Action: "Remove", LogicalID: one.LogicalID, PhysicalID: one.PhysicalID, ResourceType: one.Type, Before: maskedOf(p.plan, &one.Thing)})
		}
	}
	return changes, nil
}

func metadataOf(one *Resource) any {
	m, ok := one.Metadata.(map[string]any)
	if !ok {
		return map[string]any(nil)
	}
	return m
}
