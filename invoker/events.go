package invoker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hearthfn/hearth/warmpool/state"
)

// An Event is a stored message as an operator sees it.
type Event struct {
	ID        string    `json:"id"` // names it for Event, Replay and Purge
	Function  string    `json:"function"`
	Qualifier string    `json:"qualifier"`
	RequestID string    `json:"request_id"`
	Source    string    `json:"source,omitempty"`
	Subject   string    `json:"subject,omitempty"`
	Accepted  time.Time `json:"accepted"`
	Due       time.Time `json:"due,omitzero"` // of one that waits
	Attempts  int       `json:"attempts"`
	Dead      bool      `json:"dead"`
	Condition string    `json:"condition,omitempty"` // why it is dead
	Error     string    `json:"error,omitempty"`     // of the last attempt
	Size      int       `json:"size"`                // bytes of the payload

	Payload json.RawMessage `json:"payload,omitempty"` // only when one event is asked for
}

// ErrNoEvent says that an ID is not that of a stored event.
var ErrNoEvent = errors.New("no such event")

// ErrNoPage says that a page cannot begin after the given ID.
var ErrNoPage = errors.New("not the next of a page")

// eventOf turns an entry into an event for people.
func eventOf(e *state.Entry, dead, payload bool) Event {
	out := Event{ID: e.Group + ":" + e.ID, Attempts: e.Attempts, Dead: dead}
	out.Function, _ = functionOf(e.Group)
	if dead {
		var v verdict
		if json.Unmarshal(e.Note, &v) == nil {
			out.Condition, out.Error = v.Condition, v.Error
		}
	} else {
		out.Due, out.Error = e.At, readNote(e.Note).Error
	}
	m, err := decode(e.Body)
	if err != nil {
		out.Error, out.Accepted = err.Error(), e.Pushed
		return out
	}
	out.Qualifier, out.RequestID, out.Source, out.Subject = m.Qualifier, m.RequestID, m.Source, m.Subject
	out.Accepted, out.Size = m.Accepted, len(m.Payload)
	if payload && json.Valid(m.Payload) {
		out.Payload = m.Payload
	}
	return out
}

// Events returns up to limit events of a function, or of all functions for "": those that
// wait, or the dead ones. after is "" or the next of the page before, which may be any bytes.
// next is "" on the last page. ErrNoPage says that after never was a next.
func (i *Invoker) Events(ctx context.Context, name string, dead bool, after string, limit int) (page []Event, next string, err error) {
	from, within, err := splitPage(after)
	if err != nil {
		return nil, "", err
	}
	all, err := i.groupsOf(ctx, name)
	if err != nil {
		return nil, "", err
	}
	page = []Event{}
	for _, group := range all {
		if group < from {
			continue
		}
		if group != from {
			within = ""
		}
		for {
			entries, more, err := i.Store.Entries(ctx, group, dead, within, limit-len(page))
			if errors.Is(err, state.ErrInvalid) {
				err = fmt.Errorf("%w: %.200q", ErrNoPage, after)
			}
			if err != nil {
				return nil, "", err
			}
			for n := range entries {
				page = append(page, eventOf(&entries[n], dead, false))
			}
			if len(page) == limit {
				return page, group + "\n" + more, nil
			}
			if within = more; more == "" {
				break
			}
		}
	}
	return page, "", nil
}

// splitPage reads what Events returned as next.
func splitPage(after string) (group, within string, err error) {
	if after == "" {
		return "", "", nil
	}
	group, within, found := strings.Cut(after, "\n")
	if name, _ := functionOf(group); !found || name == "" {
		return "", "", fmt.Errorf("%w: %.200q", ErrNoPage, after)
	}
	if within == "" {
		group += "\x00" // that group is over: the one after it
	}
	return group, within, nil
}

// groupsOf are the groups of a function, or of all for "".
func (i *Invoker) groupsOf(ctx context.Context, name string) (all []string, err error) {
	err = i.eachGroup(ctx, func(g state.GroupStat) {
		if of, _ := functionOf(g.Group); name == "" || of == name {
			all = append(all, g.Group)
		}
	})
	return all, err
}

// find looks for an event by its ID.
func (i *Invoker) find(ctx context.Context, id string) (*state.Entry, bool, error) {
	group, inGroup, found := strings.Cut(id, ":")
	if name, _ := functionOf(group); !found || name == "" {
		return nil, false, fmt.Errorf("%w: %.200q", ErrNoEvent, id)
	}
	for _, dead := range []bool{true, false} {
		for after := ""; ; {
			entries, next, err := i.Store.Entries(ctx, group, dead, after, 256)
			if err != nil {
				return nil, false, err
			}
			for n := range entries {
				if entries[n].ID == inGroup {
					return &entries[n], dead, nil
				}
			}
			if after = next; after == "" {
				break
			}
		}
	}
	return nil, false, fmt.Errorf("%w: %.200q", ErrNoEvent, id)
}

// Event is one event with its payload.
func (i *Invoker) Event(ctx context.Context, id string) (Event, error) {
	e, dead, err := i.find(ctx, id)
	if err != nil {
		return Event{}, err
	}
	return eventOf(e, dead, true), nil
}

// Replay has a dead event delivered again, with all its attempts.
func (i *Invoker) Replay(ctx context.Context, id string) error {
	group, inGroup, _ := strings.Cut(id, ":")
	if name, _ := functionOf(group); name == "" {
		return fmt.Errorf("%w: %.200q", ErrNoEvent, id)
	}
	err := i.Store.Replay(ctx, group, inGroup)
	if errors.Is(err, state.ErrNotFound) {
		return fmt.Errorf("%w that is dead: %.200q", ErrNoEvent, id)
	}
	if err == nil {
		i.waiting.Add(1)
		i.nudge()
	}
	return err
}

// Purge removes an event, dead or waiting. An event that is being delivered may still arrive.
func (i *Invoker) Purge(ctx context.Context, id string) error {
	e, dead, err := i.find(ctx, id)
	if err != nil {
		return err
	}
	err = i.Store.Purge(ctx, *e, dead)
	if errors.Is(err, state.ErrNotFound) {
		return fmt.Errorf("%w: %.200q", ErrNoEvent, id)
	}
	if err == nil && !dead {
		i.waiting.Add(-1)
	}
	return err
}
