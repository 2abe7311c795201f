package engine

import (
	"context"

	"github.com/hearthfn/hearth/warmpool/state"
)

// unavailable replaces the records when they cannot be opened.
type unavailable struct{ err error }

func (u unavailable) Read(context.Context, state.Key) (state.Record, error) {
	return state.Record{}, u.err
}

func (u unavailable) List(context.Context, string, string, string, int) ([]state.Record, error) {
	return nil, u.err
}

func (u unavailable) Owners(context.Context, string, string, int) ([]string, error) {
	return nil, u.err
}

func (u unavailable) Change(context.Context, string, ...state.Change) (state.Revision, error) {
	return 0, u.err
}

func (u unavailable) Watch(ctx context.Context, _ string) (<-chan string, error) {
	changes := make(chan string)
	context.AfterFunc(ctx, func() { close(changes) })
	return changes, nil
}

var _ state.Records = unavailable{}
