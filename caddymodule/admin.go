package caddymodule

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/caddyserver/caddy/v2"

	"github.com/hearthfn/hearth/caddymodule/cli"
	"github.com/hearthfn/hearth/caddymodule/engine"
	"github.com/hearthfn/hearth/invoker"
)

func init() {
	caddy.RegisterModule(Admin{})
}

// Admin answers requests to Caddy's admin endpoint about this node: its events, schedules and
// runtimes, and the nodes that use its Redis. Routes lists the paths.
type Admin struct{}

// CaddyModule returns the Caddy module information.
func (Admin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.hearth", New: func() caddy.Module { return new(Admin) }}
}

// answers are the addresses below /hearth/, for the admin endpoint and for consoles.
func answers() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, answer := range map[string]answerer{
		"GET /hearth/events":         countEvents, // the number of events of each function
		"GET /hearth/events/list":    listEvents,  // ?function= ?dead=true ?after= ?limit=
		"GET /hearth/events/show":    showEvent,   // ?id=, with its payload
		"POST /hearth/events/replay": replayEvents,
		"DELETE /hearth/events":      purgeEvents,
		"GET /hearth/schedules":      listSchedules, // schedules that run, and when
		"GET /hearth/nodes":          listNodes,     // live nodes
		"GET /hearth/sources":        listLags,      // how far behind this node's event sources are
		"GET /hearth/apis":           listAPIs,      // APIs of the configuration
		// This node takes no calls of other nodes and no more events, and polls no sources.
		"POST /hearth/drain":   drain(true),
		"DELETE /hearth/drain": drain(false),
		// What serves each runtime on this node. It may take a second, because it starts each
		// interpreter once to ask for its version.
		"GET /hearth/node":     gauges, // what this node has and does now
		"GET /hearth/doctor":   examine(),
		"GET /hearth/runtimes": func(e *engine.Engine, _ *http.Request) (any, error) { return e.Runtimes(), nil },
	} {
		mux.Handle(pattern, answer)
	}
	return mux
}

// serveAnswers has an answer of the engine sent; nil: none runs. Errors are Caddy's.
func serveAnswers(mux *http.ServeMux, e *engine.Engine, w http.ResponseWriter, r *http.Request) error {
	handler, _ := mux.Handler(r)
	answer, found := handler.(answerer)
	if !found {
		return refused(handler, w, r)
	}
	return answer.serve(e, w, r)
}

// Routes implements caddy.AdminRouter.
func (Admin) Routes() []caddy.AdminRoute {
	mux := answers()
	return []caddy.AdminRoute{{Pattern: "/hearth/", Handler: caddy.AdminHandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		return serveAnswers(mux, runningEngine(), w, r)
	})}, {Pattern: cli.AdminAPI + "/", Handler: caddy.AdminHandlerFunc(answerAPI)}}
}

// refused is the error of a request for which the mux has no handler. It takes the status, and
// the header Allow, from the mux's own answer.
func refused(answer http.Handler, w http.ResponseWriter, r *http.Request) error {
	status := statusOf{header: w.Header()}
	answer.ServeHTTP(&status, r)
	return caddy.APIError{HTTPStatus: status.code, Err: fmt.Errorf("there is no %s %s", r.Method, r.URL.Path)}
}

// A statusOf keeps the status of an answer and drops its body.
type statusOf struct {
	header http.Header
	code   int
}

func (s *statusOf) Header() http.Header            { return s.header }
func (s *statusOf) WriteHeader(code int)           { s.code = code }
func (s *statusOf) Write(text []byte) (int, error) { return len(text), nil }

// An answerer makes the answer to a request from the engine that runs. The answer is JSON.
type answerer func(*engine.Engine, *http.Request) (any, error)

// ServeHTTP makes an answerer a handler that the mux accepts. serveAnswers calls serve instead,
// because Caddy writes the errors.
func (a answerer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = a.serve(runningEngine(), w, r)
}

func (a answerer) serve(e *engine.Engine, w http.ResponseWriter, r *http.Request) error {
	if e == nil || e.Invoker() == nil { // the first settings may not be applied yet
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errors.New("no hearth app runs here")}
	}
	answer, err := a(e, r)
	switch {
	case errors.Is(err, invoker.ErrNoEvent):
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: err}
	case err != nil:
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(answer)
}

// runningEngine is the engine of the configuration that runs; nil: there is none.
func runningEngine() (found *engine.Engine) {
	engines.Range(func(_, value any) bool {
		if e := value.(*pooledEngine).Engine; e.Running() {
			found = e
		}
		return found == nil
	})
	return found
}

func listSchedules(e *engine.Engine, _ *http.Request) (any, error) {
	return engine.ScheduleList{Schedules: e.Schedules()}, nil
}

func listNodes(e *engine.Engine, _ *http.Request) (any, error) { return e.Nodes(), nil }

func listLags(e *engine.Engine, _ *http.Request) (any, error) { return e.Lags(), nil }

func listAPIs(e *engine.Engine, _ *http.Request) (any, error) { return e.ConfiguredAPIs(), nil }

func drain(on bool) answerer {
	return func(e *engine.Engine, r *http.Request) (any, error) {
		return engine.Drained{Draining: on}, e.Drain(r.Context(), on)
	}
}

func gauges(e *engine.Engine, _ *http.Request) (any, error) { return e.Gauges() }

// examine has the doctor look, once at a time: it starts a trial environment.
func examine() answerer {
	free := make(chan struct{}, 1)
	return func(e *engine.Engine, r *http.Request) (any, error) {
		select {
		case free <- struct{}{}:
			defer func() { <-free }()
			return cli.Examine(e.Dir), nil
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

func badRequest(format string, args ...any) error {
	return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: fmt.Errorf(format, args...)}
}

// Sizes of pages of events.
const (
	usualEvents = 100
	mostEvents  = 1000
)

// cursor encodes the place where a page ends. Shells and URLs do not change the text.
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

// replayEvents makes a dead event wait for delivery again, by ?id=; or all dead events, or
// those of ?function=.
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

// eachDead calls do for every dead event of a function, or of all functions if the request
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

var _ caddy.AdminRouter = Admin{}
