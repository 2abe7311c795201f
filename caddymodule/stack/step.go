package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/stack/template"
)

func (one *Resource) event() *Event {
	e := &Event{LogicalID: one.LogicalID, PhysicalID: one.PhysicalID, Type: one.Type, Status: one.Status, Reason: one.Reason}
	if data, err := json.Marshal(one.Properties); err == nil && one.Properties != nil && !one.Secret {
		e.Properties = cut(string(data), maxShownProperties)
	}
	return e
}

// maxShownProperties bounds the properties that an event repeats, in bytes.
const maxShownProperties = 8 << 10

func cut(s string, most int) string {
	if len(s) > most {
		return s[:most]
	}
	return s
}

// typeOf is the type of a resource.
func (e *Engine) typeOf(name string) *Type {
	if t := e.types[name]; t != nil {
		return t
	}
	switch {
	case strings.HasPrefix(name, "Custom::"):
		return e.types["AWS::CloudFormation::CustomResource"]
	case slices.Contains(e.Settings().IgnoreTypes, name):
		return ignored
	}
	return nil
}

func (r *run) newWork(logicalID, typeName string) *Work {
	return &Work{engine: r.engine, caller: r.caller, stack: r.stack, run: r, LogicalID: logicalID, Type: typeName, Attributes: make(map[string]any)}
}

// remover is the work of removing a thing.
func (r *run) remover(logicalID string, thing *Thing) *Work {
	w := r.newWork(logicalID, thing.Type)
	w.ID, w.Old = thing.PhysicalID, thing.Properties
	maps.Copy(w.Attributes, thing.Attributes)
	return w
}

// attribute is what Ref (without a name) and Fn::GetAtt give of a resource.
func (r *run) attribute(logicalID, name string) (any, error) {
	one := r.resource(logicalID)
	if one == nil {
		return nil, fmt.Errorf("resource %s is not there yet", logicalID)
	}
	if name == "" {
		if ref, ok := one.Attributes[refAttribute]; ok {
			return ref, nil
		}
		return one.PhysicalID, nil
	}
	if v, ok := one.Attributes[name]; ok {
		return v, nil
	}
	return nil, sentence("Resource type %s does not support attribute {%s}.", one.Type, name)
}

// refAttribute is the attribute that Ref is, where it is not the physical ID.
const refAttribute = "Ref"

// apply makes, changes or leaves a resource so that it is as the template says.
func (r *run) apply(ctx context.Context, id string) error {
	planned := r.plan.Resource(id)
	t := r.engine.typeOf(planned.Type)
	now := r.resource(id)
	operation := r.stack.Operation.ID
	interrupted := now != nil && now.Operation == operation
	if interrupted && (now.Status == Created || now.Status == Updated) {
		return nil // before a crash
	}
	var before *Resource
	if now != nil {
		if before = now; interrupted {
			before = now.Before
		}
	}
	next := &Resource{
		LogicalID: id, Thing: Thing{Type: planned.Type}, Operation: operation, Dependencies: planned.Dependencies,
		OnDelete: planned.DeletionPolicy, OnReplace: planned.UpdateReplacePolicy, Before: before, Status: Creating,
	}
	if planned.Metadata != nil {
		next.Metadata = planned.Metadata
	}
	if before != nil {
		next.Before.Before, next.Status = nil, Updating
		next.Stale = before.Stale
		if before.Status == Deleted {
			next.Before, before, next.Status = nil, nil, Creating
		}
	}
	if interrupted && t.update == nil || interrupted && before == nil || interrupted && now.PhysicalID != before.PhysicalID {
		// What a crash has left may be half made.
		if err := r.discard(ctx, now, before); err != nil {
			return r.failed(ctx, next, err)
		}
	}
	properties, err := r.properties(t, id)
	if err != nil {
		return r.failed(ctx, next, err)
	}
	next.Properties, next.Secrets = properties, r.plan.Secrets(properties)
	next.Secret = len(next.Secrets) > 0
	if before == nil {
		return r.make(ctx, t, next)
	}
	if before.Sealed != "" {
		return r.failed(ctx, next, errSealed)
	}
	w := r.newWork(id, planned.Type)
	w.ID, w.New, w.Old = before.PhysicalID, properties, before.Properties
	maps.Copy(w.Attributes, before.Attributes)
	switch {
	case before.Type != planned.Type:
		return r.replace(ctx, t, next)
	case len(w.changed()) == 0 && !interrupted:
		return r.same(ctx, next)
	case t.update == nil || t.replaces != nil && t.replaces(w):
		return r.replace(ctx, t, next)
	}
	return r.change(ctx, t, next, w)
}

// discard removes what an interrupted step may have made.
func (r *run) discard(ctx context.Context, now, before *Resource) error {
	if now.PhysicalID == "" || before != nil && now.PhysicalID == before.PhysicalID {
		return nil
	}
	t := r.engine.typeOf(now.Type)
	if t == nil {
		return unknownType(now.Type)
	}
	return t.remove(ctx, r.remover(now.LogicalID, &now.Thing))
}

// properties are those of a resource, with the stack's tags.
func (r *run) properties(t *Type, id string) (map[string]any, error) {
	properties, err := r.plan.Properties(id, attributes(r.attribute))
	if err != nil {
		return nil, err
	}
	if properties == nil {
		properties = make(map[string]any)
	}
	normal, err := normalize(properties)
	if err != nil {
		return nil, err
	}
	properties = normal.(map[string]any)
	withTags(t, properties, r.stack.Tags)
	for _, name := range t.required {
		if properties[name] == nil {
			return nil, sentence("Properties validation failed for resource %s with message:\n#: required key [%s] not found", id, name)
		}
	}
	return properties, nil
}

// normalize makes values those that a record gives back, so that they can be compared.
func normalize(v any) (any, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var out any
	return out, json.Unmarshal(data, &out)
}

// withTags adds the tags of the stack to those of a resource, which win.
func withTags(t *Type, properties map[string]any, tags []Tag) {
	if len(tags) == 0 || t.tags == noTags {
		return
	}
	if t.tags == tagMap {
		if given, ok := properties["Tags"].(map[string]any); ok || properties["Tags"] == nil {
			all := make(map[string]any)
			for _, tag := range tags {
				all[tag.Key] = tag.Value
			}
			maps.Copy(all, given)
			properties["Tags"] = all
			return
		}
	}
	given, _ := properties["Tags"].([]any)
	all := slices.Clone(given)
	for _, tag := range tags {
		if !slices.ContainsFunc(given, func(one any) bool {
			of, ok := one.(map[string]any)
			return ok && of["Key"] == tag.Key
		}) {
			all = append(all, map[string]any{"Key": tag.Key, "Value": tag.Value})
		}
	}
	properties["Tags"] = all
}

// make makes a resource that is not there.
func (r *run) make(ctx context.Context, t *Type, next *Resource) error {
	w := r.newWork(next.LogicalID, next.Type)
	w.New = next.Properties
	if t.plan != nil {
		w.ID = t.plan(w)
	}
	if next.Before != nil && w.ID != "" && w.ID == next.Before.PhysicalID {
		return r.failed(ctx, next, sentence("CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename %s and update the stack again.", w.ID))
	}
	if t.exists != nil {
		there, err := t.exists(ctx, w)
		if err == nil && there {
			err = fmt.Errorf("%s already exists", w.ID)
		}
		if err != nil {
			return r.failed(ctx, next, err)
		}
	}
	next.PhysicalID = w.ID
	begun := *next
	begun.Reason = ""
	if next.Before != nil {
		begun.Reason = "Requested update requires the creation of a new physical resource; hence creating one."
	}
	if err := r.keep(ctx, &begun); err != nil {
		return err
	}
	planned := w.ID
	err := t.create(ctx, w)
	r.learn(next, w)
	if err != nil {
		if isExisting(err) && w.ID == planned {
			next.PhysicalID = "" // it is somebody else's
		}
		return r.failed(ctx, next, err)
	}
	initiated := next.event()
	initiated.Reason = "Resource creation Initiated"
	if next.Status = Created; next.Before != nil {
		next.Status = Updated
	}
	next.Reason = r.reason(next, w.Note)
	if t == ignored {
		next.Reason = "Hearth has made nothing of this resource: its type is in ignore_resources"
	}
	return r.keep(ctx, next, initiated)
}

// replace makes a resource anew. What it was is removed at the end of the operation.
func (r *run) replace(ctx context.Context, t *Type, next *Resource) error {
	next.Stale = append(slices.Clone(next.Before.Stale), Stale{next.Before.Thing, next.Before.OnReplace == "Retain"})
	return r.make(ctx, t, next)
}

// same keeps a resource that does not change.
func (r *run) same(ctx context.Context, next *Resource) error {
	before := next.Before
	if slices.Equal(before.Dependencies, next.Dependencies) && before.OnDelete == next.OnDelete && before.OnReplace == next.OnReplace &&
		reflect.DeepEqual(before.Metadata, next.Metadata) {
		return nil
	}
	next.Thing, next.Status, next.Reason, next.Changed = before.Thing, Updated, before.Reason, before.Changed
	change, err := r.engine.store.putResource(r.id, next)
	if err != nil {
		return err
	}
	if _, err := r.write(ctx, changesOf(change)); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.resources[next.LogicalID] = next
	return nil
}

// change changes a resource where it is.
func (r *run) change(ctx context.Context, t *Type, next *Resource, w *Work) error {
	next.PhysicalID, next.Attributes = w.ID, w.Attributes
	begun := *next
	if err := r.keep(ctx, &begun); err != nil {
		return err
	}
	err := t.update(ctx, w)
	r.learn(next, w)
	if err != nil {
		return r.failed(ctx, next, err)
	}
	if next.PhysicalID != next.Before.PhysicalID { // a custom resource may answer with another
		next.Stale = append(slices.Clone(next.Before.Stale), Stale{next.Before.Thing, next.Before.OnReplace == "Retain"})
	}
	next.Status, next.Reason = Updated, r.reason(next, w.Note)
	return r.keep(ctx, next)
}

// failed writes that a step failed.
func (r *run) failed(ctx context.Context, next *Resource, err error) error {
	if r.engine.ctx.Err() != nil {
		return err // this server ends; the step is done again at the next start
	}
	next.Reason = r.reason(next, err.Error())
	if ctx.Err() != nil {
		next.Reason = cancelledOperation
	}
	if next.Status == Creating {
		next.Status = CreateFailed
	} else {
		next.Status, err = UpdateFailed, &updateError{err}
	}
	if keepErr := r.keep(context.WithoutCancel(ctx), next); keepErr != nil {
		return errors.Join(err, keepErr)
	}
	return err
}

// maxReason bounds what an event says, in bytes.
const maxReason = 4 << 10

func unknownType(name string) error {
	return fmt.Errorf("this server does not know the type %s any more", name)
}

// learn takes over what a step has made, and hides the secrets of it from now on.
func (r *run) learn(next *Resource, w *Work) {
	next.PhysicalID, next.Attributes = w.ID, w.Attributes
	r.plan.Hide(w.Secrets)
	for _, secret := range append(slices.Clone(w.Secrets), r.plan.Secrets(w.Attributes)...) {
		if !slices.Contains(next.Secrets, secret) {
			next.Secrets = append(next.Secrets, secret)
		}
	}
	next.Secret = len(next.Secrets) > 0
}

// reason is a text for events, without the secrets of a resource.
func (r *run) reason(one *Resource, text string) string {
	_ = one.things(func(t *Thing) error { text = template.Redact(text, t.Secrets); return nil })
	if r.plan != nil {
		text = r.plan.Redact(text)
	}
	return cut(text, maxReason)
}
