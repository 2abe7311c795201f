package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/caddymodule/socket"
)

// socketHosts serve the WebSocket APIs that AWS's API made, by their hosts.
type socketHosts struct {
	app        *App
	management *connections

	ended sync.WaitGroup // of authorizers that are no longer used

	mu     sync.Mutex // held while a stage is made
	closed bool       // guarded by mu
	known  *lru.Cache[stageName, *socketHost]
}

// A socketHost is a stage, and the authorizers that its API has.
type socketHost struct {
	*socket.Stage
	own map[string]*Authorizer
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
	h := &socketHosts{app: a, management: management}
	if h.known, err = lru.NewWithEvict(maxKnownStages, func(_ stageName, s *socketHost) {
		h.ended.Go(func() { h.release(s.own) })
	}); err != nil {
		return nil, err
	}
	a.socketsOfAPIs = h
	return h, nil
}

func (h *socketHosts) release(own map[string]*Authorizer) {
	if err := releaseAuthorizers(own); err != nil {
		h.app.log.Error("an authorizer did not end", zap.Error(err))
	}
}

// close ends the authorizers and waits for them.
func (h *socketHosts) close() {
	if h == nil {
		return
	}
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.known.Purge()
	h.ended.Wait()
}

// errNoUpgrade: the request is for a WebSocket API.
var errNoUpgrade = errors.New("the request does not ask for a WebSocket")

// serve answers a request for an API.
func (h *socketHosts) serve(w http.ResponseWriter, r *http.Request, api *apigatewayv2.Served) error {
	return h.serveAt(w, r, api, r.URL.Path)
}

// serveMapped answers a request for an API that a domain name is mapped to, below a base path. The
// stage is in the path if the mapping has none.
func (h *socketHosts) serveMapped(w http.ResponseWriter, r *http.Request, api *apigatewayv2.Served, stage, base string) error {
	path := strings.TrimPrefix(r.URL.Path, base)
	if stage != "" {
		path = "/" + stage + path
	}
	return h.serveAt(w, r, api, path)
}

// serveAt answers a request by its path, which begins with the stage.
func (h *socketHosts) serveAt(w http.ResponseWriter, r *http.Request, api *apigatewayv2.Served, path string) error {
	if h.management.serve(w, r, api, path) {
		return nil
	}
	of := api.Stages[strings.Trim(path, "/")]
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
		return known.Stage, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if known, ok := h.known.Get(name); ok && known.API == of {
		return known.Stage, nil
	}
	if h.closed {
		return nil, errReplaced
	}
	own, err := h.app.authorizersOf(of, h.app.apiPermission)
	if err != nil {
		h.release(own)
		return nil, fmt.Errorf("API %q, stage %q: %w", name.api, name.stage, err)
	}
	made, err := h.app.newSocketStage(of, h.app.log, own, func(route *gateway.Route) func(context.Context) bool {
		to := &route.Integration
		return h.app.apiPermission(of, to.Function, to.Qualifier, name.stage+"/"+route.Key)
	})
	if err != nil {
		h.release(own)
		return nil, fmt.Errorf("API %q, stage %q: %w", name.api, name.stage, err)
	}
	h.known.Remove(name) // which ends the one before; the cache does not do that in Add
	h.known.Add(name, &socketHost{made, own})
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
