package caddymodule

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/hearthfn/hearth/invoker"
)

func init() {
	caddy.RegisterModule(EventsAdmin{})
}

// EventsAdmin answers Caddy's admin endpoint about the events that wait or are dead.
//
//	GET    /hearth/events              what is kept for each function
//	GET    /hearth/events/list         ?function= ?dead=true ?after= ?limit=
//	GET    /hearth/events/show?id=     one event, with its payload
//	POST   /hearth/events/replay?id=   a dead event is delivered again; ?function= all of one
//	DELETE /hearth/events?id=          an event is removed; ?function= &dead=true all dead ones
type EventsAdmin struct{}

// CaddyModule returns the Caddy module information.
func (EventsAdmin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.hearth_events", New: func() caddy.Module { return new(EventsAdmin) }}
}

// Routes implements caddy.AdminRouter.
func (EventsAdmin) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: eventsPath, Handler: caddy.AdminHandlerFunc(serveEvents)}, {Pattern: eventsPath + "/", Handler: caddy.AdminHandlerFunc(serveEvents)}}
}

const eventsPath = "/hearth/events"

// Pages of events.
const (
	usualEvents = 100
	mostEvents  = 1000
)

// cursor is how the place where a page ends is written: it goes through shells and URLs
// as it is.
var cursor = base64.RawURLEncoding.Strict()

// EventPage is a page of events as the admin endpoint answers it.
type EventPage struct {
	Events []invoker.Event `json:"events"`
	Next   string          `json:"next,omitempty"` // the after of the next page
}

// EventCount is how many events a request was about.
type EventCount struct {
	Events int `json:"events"`
}

func serveEvents(w http.ResponseWriter, r *http.Request) error {
	i := runningInvoker()
	if i == nil {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errors.New("no hearth app runs here")}
	}
	answer, err := answerEvents(i, r)
	switch {
	case errors.Is(err, invoker.ErrNoEvent):
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: err}
	case err != nil:
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(answer)
}

// runningInvoker is that of this process: the one that a configuration uses now.
func runningInvoker() *invoker.Invoker {
	if e := runningEngine(); e != nil {
		return e.Invoker()
	}
	return nil
}

func answerEvents(i *invoker.Invoker, r *http.Request) (any, error) {
	query, ctx := r.URL.Query(), r.Context()
	id, function, dead := query.Get("id"), query.Get("function"), query.Get("dead") == "true"
	switch route := r.Method + " " + strings.Trim(strings.TrimPrefix(r.URL.Path, eventsPath), "/"); route {
	case "GET ":
		return i.Stats(ctx)
	case "GET list":
		limit := usualEvents
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
		page, next, err := i.Events(ctx, function, dead, string(after), limit)
		if errors.Is(err, invoker.ErrNoPage) {
			return nil, badRequest("after %.200q is not the next of a page", query.Get("after"))
		}
		return EventPage{page, cursor.EncodeToString([]byte(next))}, err
	case "GET show":
		return i.Event(ctx, id)
	case "POST replay":
		if id != "" {
			return EventCount{1}, i.Replay(ctx, id)
		}
		return eachDead(i, r, function, i.Replay)
	case "DELETE ":
		if id != "" {
			return EventCount{1}, i.Purge(ctx, id)
		}
		if !dead {
			return nil, badRequest("say which: id=ID, or dead=true with or without function=NAME")
		}
		return eachDead(i, r, function, i.Purge)
	default:
		return nil, caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("there is no %s %s", r.Method, r.URL.Path)}
	}
}

func badRequest(format string, args ...any) error {
	return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: fmt.Errorf(format, args...)}
}

// eachDead does something to every dead event of a function, or of all for "".
func eachDead(i *invoker.Invoker, r *http.Request, function string, do func(ctx context.Context, id string) error) (EventCount, error) {
	var n EventCount
	for {
		// Replayed and purged events are no longer dead, so each page is a new first page.
		page, _, err := i.Events(r.Context(), function, true, "", mostEvents)
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

var (
	_ caddy.AdminRouter = EventsAdmin{}
	_ caddy.Module      = EventsAdmin{}
)
