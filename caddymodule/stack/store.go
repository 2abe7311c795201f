package stack

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/warmpool/state"
)

// Owners and names of records:
//
//	stacks        NAME                 the ID of the stack that has the name now
//	stack/UUID    stack                Stack
//	              setting              Setting
//	              template/ID          a template, compressed
//	              resource/LOGICALID   Resource
//	              event/NUMBER         Event
//	              changeset/NAME       ChangeSet
//	              holder               which node works on the stack
//	              cancel               the ID of the operation that is to be cancelled
const (
	ownerNames = "stacks"
	ownerStack = "stack/"

	recordStack     = "stack"
	recordSetting   = "setting"
	recordTemplate  = "template/"
	recordResource  = "resource/"
	recordEvent     = "event/"
	recordChangeSet = "changeset/"
	recordHolder    = "holder"
	recordCancel    = "cancel"
)

const page = 256

// Bounds of what is kept.
const (
	MaxStacks     = 2000 // AWS's quota
	maxGone       = 100  // stacks that are remembered after their deletion
	maxEvents     = 5000 // of a stack
	maxChangeSets = 100  // of a stack
)

// ErrNotFound: there is no such stack, resource or change set.
var ErrNotFound = errors.New("not found")

type store struct {
	records state.Records
	// key is that of the credentials that are in force, 32 bytes.
	key func() []byte
}

func owner(id string) string { return ownerStack + id[strings.LastIndexByte(id, '/')+1:] }

func put(name string, expected state.Revision, value any) (state.Change, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return state.Change{}, err
	}
	if len(data) > state.MaxValue {
		return state.Change{}, fmt.Errorf("%s has %d bytes, %d at most are kept", name, len(data), state.MaxValue)
	}
	return state.Put(name, expected, data), nil
}

func (s store) get(ctx context.Context, owner, name string, into any) (state.Revision, error) {
	record, err := s.records.Read(ctx, state.Key{Owner: owner, Name: name})
	if errors.Is(err, state.ErrNotFound) {
		return state.Absent, ErrNotFound
	}
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(record.Value, into); err != nil {
		return 0, fmt.Errorf("record %q of %q: %w: %w", name, owner, state.ErrDamaged, err)
	}
	return record.Revision, nil
}

// idOf is the ID of the stack that has a name, or an ID itself.
func (s store) idOf(ctx context.Context, nameOrID string) (string, error) {
	if strings.HasPrefix(nameOrID, "arn:") {
		if !strings.Contains(nameOrID, ":stack/") || strings.Count(nameOrID, "/") != 2 {
			return "", ErrNotFound
		}
		return nameOrID, nil
	}
	if nameOrID == "" || len(nameOrID) > 128 {
		return "", ErrNotFound
	}
	var id string
	_, err := s.get(ctx, ownerNames, nameOrID, &id)
	return id, err
}

// stack reads a stack by its name or its ID.
func (s store) stack(ctx context.Context, nameOrID string) (*Stack, state.Revision, error) {
	id, err := s.idOf(ctx, nameOrID)
	if err != nil {
		return nil, 0, err
	}
	of := new(Stack)
	revision, err := s.get(ctx, owner(id), recordStack, of)
	if err == nil && (of.ID != id || of.Status == Deleted && id != nameOrID) {
		err = ErrNotFound
	}
	s.openStack(of)
	return of, revision, err
}

// all reads every stack, those that are gone too.
func (s store) all(ctx context.Context) (stacks []*Stack, err error) {
	for after := ownerStack; ; {
		owners, err := s.records.Owners(ctx, ownerStack, after, page)
		if err != nil {
			return nil, err
		}
		for _, o := range owners {
			of := new(Stack)
			switch _, err := s.get(ctx, o, recordStack, of); {
			case errors.Is(err, ErrNotFound):
			case err != nil:
				return nil, err
			default:
				s.openStack(of)
				stacks = append(stacks, of)
			}
		}
		if len(owners) < page {
			break
		}
		after = owners[len(owners)-1]
	}
	slices.SortFunc(stacks, func(a, b *Stack) int { return b.Created.Compare(a.Created) })
	return stacks, nil
}

func list[T any](ctx context.Context, s store, owner, prefix string) (all []*T, err error) {
	for after := ""; ; {
		records, err := s.records.List(ctx, owner, prefix, after, page)
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			after = r.Name
			one := new(T)
			if err := json.Unmarshal(r.Value, one); err != nil {
				return nil, fmt.Errorf("record %q of %q: %w: %w", r.Name, owner, state.ErrDamaged, err)
			}
			all = append(all, one)
		}
		if len(records) < page {
			return all, nil
		}
	}
}

func (s store) resources(ctx context.Context, id string) ([]*Resource, error) {
	all, err := list[Resource](ctx, s, owner(id), recordResource)
	for _, one := range all {
		s.openResource(id, one)
	}
	return all, err
}

// putTemplate is the change that keeps a template.
func putTemplate(name, body string) state.Change {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(body)) // a buffer takes all
	_ = w.Close()
	return state.Put(recordTemplate+name, state.Any, b.Bytes())
}

// maxTemplate bounds a template when it is read back, in bytes: transforms make them larger.
const maxTemplate = 16 << 20

func (s store) template(ctx context.Context, id, name string) (string, error) {
	record, err := s.records.Read(ctx, state.Key{Owner: owner(id), Name: recordTemplate + name})
	if err != nil {
		return "", err
	}
	r, err := gzip.NewReader(bytes.NewReader(record.Value))
	if err != nil {
		return "", fmt.Errorf("template of %q: %w: %w", id, state.ErrDamaged, err)
	}
	body, err := io.ReadAll(io.LimitReader(r, maxTemplate))
	if err != nil {
		return "", fmt.Errorf("template of %q: %w: %w", id, state.ErrDamaged, err)
	}
	return string(body), nil
}

func eventName(number int) string { return fmt.Sprintf("%s%08d", recordEvent, number) }

// lastEvent is the number of the newest event of a stack, 0 if there is none.
func (s store) lastEvent(ctx context.Context, id string) (int, error) {
	last := 0
	for after := ""; ; {
		records, err := s.records.List(ctx, owner(id), recordEvent, after, page)
		if err != nil {
			return 0, err
		}
		for _, r := range records {
			after = r.Name
			if _, err := fmt.Sscanf(r.Name, recordEvent+"%08d", &last); err != nil {
				return 0, fmt.Errorf("record %q of %q: %w", r.Name, id, state.ErrDamaged)
			}
		}
		if len(records) < page {
			return last, nil
		}
	}
}

// remove removes all records of a stack.
func (s store) remove(ctx context.Context, id string) error {
	for {
		records, err := s.records.List(ctx, owner(id), "", "", state.MaxChanges)
		if err != nil || len(records) == 0 {
			return err
		}
		changes := make([]state.Change, len(records))
		for n, r := range records {
			changes[n] = state.Delete(r.Name, state.Any)
		}
		if _, err := s.records.Change(ctx, owner(id), changes...); err != nil {
			return err
		}
	}
}
