package caddymodule

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"

	"github.com/hearthfn/hearth/caddymodule/engine"
	"github.com/hearthfn/hearth/invoker"
)

// Pages of events.
const (
	usualEvents = 100
	mostEvents  = 1000
)

// cursor is how the place where a page ends is written: it goes through shells and URLs
// as it is.
var cursor = base64.RawURLEncoding.Strict()

func countEvents(e *engine.Engine, r *http.Request) (any, error) {
	return e.Invoker().Stats(r.Context())
}

func listEvents(e *engine.Engine, r *http.Request) (any, error) {
	query, limit := r.URL.Query(), usualEvents
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, badRequest("limit %q is not a number of at least 1", text)
		}
		limit = min(n, mostEvents)
	}
	after, err := cursor.DecodeString(query.Get("after"))
	if err != nil {
		return nil, badRequest("after %.200q is not the next of a page", query.Get("after"))
	}
	page, next, err := e.Invoker().Events(r.Context(), query.Get("function"), query.Get("dead") == "true", string(after), limit)
	if errors.Is(err, invoker.ErrNoPage) {
		return nil, badRequest("after %.200q is not the next of a page", query.Get("after"))
	}
	return engine.EventPage{Events: page, Next: cursor.EncodeToString([]byte(next))}, err
}

func showEvent(e *engine.Engine, r *http.Request) (any, error) {
	return e.Invoker().Event(r.Context(), r.URL.Query().Get("id"))
}

// replayEvents has a dead event delivered again, by ?id=; or all, or those of ?function=.
func replayEvents(e *engine.Engine, r *http.Request) (any, error) {
	if id := r.URL.Query().Get("id"); id != "" {
		return engine.EventCount{Events: 1}, e.Invoker().Replay(r.Context(), id)
	}
	return eachDead(e.Invoker(), r, e.Invoker().Replay)
}

// purgeEvents removes an event, by ?id=; or with ?dead=true all dead ones, or those of
// ?function=.
func purgeEvents(e *engine.Engine, r *http.Request) (any, error) {
	query := r.URL.Query()
	if id := query.Get("id"); id != "" {
		return engine.EventCount{Events: 1}, e.Invoker().Purge(r.Context(), id)
	}
	if query.Get("dead") != "true" {
		return nil, badRequest("say which: id=ID, or dead=true with or without function=NAME")
	}
	return eachDead(e.Invoker(), r, e.Invoker().Purge)
}

// eachDead does something to every dead event of a function, or of all if the request
// names none.
func eachDead(i *invoker.Invoker, r *http.Request, do func(ctx context.Context, id string) error) (engine.EventCount, error) {
	var n engine.EventCount
	for {
		// Replayed and purged events are no longer dead, so each page is a new first page.
		page, _, err := i.Events(r.Context(), r.URL.Query().Get("function"), true, "", mostEvents)
		if err != nil || len(page) == 0 {
			return n, err
		}
		for _, e := range page {
			if err := do(r.Context(), e.ID); err != nil && !errors.Is(err, invoker.ErrNoEvent) {
				return n, err
			}
			n.Events++
		}
	}
}
