// Package statetest is the conformance suite of the contract in package state:
// every store passes it.
package statetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/state"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

func key(owner, name string) state.Key { return state.Key{Owner: owner, Name: name} }

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func mustChange(t *testing.T, s state.Records, owner string, changes ...state.Change) state.Revision {
	t.Helper()
	revision, err := s.Change(within(t), owner, changes...)
	if err != nil {
		t.Fatalf("Change of %q: %v", owner, err)
	}
	return revision
}

func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error = %v, want %v", what, err, want)
	}
}
