package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"

	"github.com/hearthfn/hearth/caddymodule/engine"
	"github.com/hearthfn/hearth/warmpool/state"
)

func init() {
	caddy.RegisterModule(NodesAdmin{})
}

// NodesAdmin answers Caddy's admin endpoint about the nodes that share a Redis.
//
//	GET    /hearth/nodes   the nodes that live
//	POST   /hearth/drain   this node takes no calls of others and no more events, and polls
//	                       no sources
//	DELETE /hearth/drain   it does again
//	GET    /hearth/runtimes what serves each runtime on this node
type NodesAdmin struct{}

// CaddyModule returns the Caddy module information.
func (NodesAdmin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.hearth_nodes", New: func() caddy.Module { return new(NodesAdmin) }}
}

// Routes implements caddy.AdminRouter.
func (NodesAdmin) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: "/hearth/nodes", Handler: caddy.AdminHandlerFunc(serveNodes)},
		{Pattern: "/hearth/drain", Handler: caddy.AdminHandlerFunc(serveDrain)},
		{Pattern: "/hearth/runtimes", Handler: caddy.AdminHandlerFunc(serveRuntimes)},
	}
}

// NodeList is what the admin endpoint answers.
type NodeList struct {
	Self  string       `json:"self"` // the name of this node
	Nodes []state.Node `json:"nodes"`
}

// runningEngine is that of the configuration in charge; nil: there is none.
func runningEngine() (found *engine.Engine) {
	engines.Range(func(_, value any) bool {
		if e := value.(*pooledEngine).Engine; e.Running() {
			found = e
		}
		return found == nil
	})
	return found
}

func serveNodes(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("there is no %s here", r.Method)}
	}
	e := runningEngine()
	if e == nil {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errors.New("no hearth app runs here")}
	}
	var list NodeList
	list.Self, list.Nodes = e.Nodes()
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(list)
}

// serveRuntimes may take a second: it asks each interpreter that it finds what it is.
func serveRuntimes(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("there is no %s here", r.Method)}
	}
	e := runningEngine()
	if e == nil {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errors.New("no hearth app runs here")}
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(e.Runtimes())
}

func serveDrain(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost && r.Method != http.MethodDelete {
		return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("there is no %s here", r.Method)}
	}
	e := runningEngine()
	if e == nil {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errors.New("no hearth app runs here")}
	}
	on := r.Method == http.MethodPost
	if err := e.Drain(r.Context(), on); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(map[string]bool{"draining": on})
}

var _ caddy.AdminRouter = NodesAdmin{}
