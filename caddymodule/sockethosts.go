package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/caddymodule/socket"
)

// socketHosts serve the WebSocket APIs that AWS's API made, by their hosts.
type socketHosts struct {
	app        *App
	management *connections

	mu    sync.Mutex // held while a stage is made
	known *lru.Cache[stageName, *socket.Stage]
}

// socketHosts makes what serves WebSocket APIs, once for all handlers of the configuration.
func (a *App) socketHosts() (*socketHosts, error) {
	if a.socketsOfAPIs != nil {
		return a.socketsOfAPIs, nil
	}
	management, err := newConnections(a, a.log)
	if err != nil {
		return nil, err
	}
	known, err := lru.New[stageName, *socket.Stage](maxKnownStages)
	if err != nil {
		return nil, err
	}
	a.socketsOfAPIs = &socketHosts{app: a, management: management, known: known}
	return a.socketsOfAPIs, nil
}

// errNoUpgrade: the request is for a WebSocket API.
var errNoUpgrade = errors.New("the request does not ask for a WebSocket")

// serve answers a request for an API.
func (h *socketHosts) serve(w http.ResponseWriter, r *http.Request, api *apigatewayv2.Served) error {
	if h.management.serve(w, r, api.ID) {
		return nil
	}
	// The stage is the whole path.
	of := api.Stages[strings.Trim(r.URL.Path, "/")]
	if of == nil {
		return refuseAPI(w, r, noStage(gateway.WebSocket), errNoStage)
	}
	if !socket.IsUpgrade(r) {
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		return refuseAPI(w, r, gateway.Refusal{Status: http.StatusUpgradeRequired, Message: "Upgrade Required"}, errNoUpgrade)
	}
	stage, err := h.stage(of)
	if err != nil {
		return err
	}
	return h.app.acceptSocket(w, r, stage)
}

// stage is what answers the sockets of a stage. It is made anew when the stage has changed.
func (h *socketHosts) stage(of *gateway.API) (*socket.Stage, error) {
	name := stageName{of.ID, of.Stages[0].Name}
	if known, ok := h.known.Get(name); ok && known.API == of {
		return known, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if known, ok := h.known.Get(name); ok && known.API == of {
		return known, nil
	}
	made, err := h.app.newSocketStage(of, h.app.log, func(route *gateway.Route) func(context.Context) bool {
		to := &route.Integration
		return h.app.apiPermission(of, to.Function, to.Qualifier, name.stage+"/"+route.Key)
	})
	if err != nil {
		return nil, fmt.Errorf("API %q, stage %q: %w", name.api, name.stage, err)
	}
	h.known.Add(name, made)
	return made, nil
}

// find finds a stage of an API, socket.ErrNoStage if there is none.
func (h *socketHosts) find(ctx context.Context, id, stage string) (*socket.Stage, error) {
	api, err := h.app.setup.APIs().API(ctx, id)
	if errors.Is(err, apigatewayv2.ErrNotFound) {
		return nil, socket.ErrNoStage
	}
	if err != nil {
		return nil, err
	}
	of := api.Stages[stage]
	if of == nil || api.Disabled || api.Protocol != gateway.WebSocket {
		return nil, socket.ErrNoStage
	}
	return h.stage(of)
}
