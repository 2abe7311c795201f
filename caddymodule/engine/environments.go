package engine

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/hearthfn/hearth/warmpool/state"
)

// What nodes ask each other about the credentials of environments.
const (
	pathEnvironment   = "/environment"
	headerEnvironment = "Hearth-Environment"
	askEnvironment    = 5 * time.Second
)

// askEnvironment asks another node whether an environment of it lives; it implements sigv4.Asker.
// A node that is gone has none.
func (e *Engine) askEnvironment(ctx context.Context, process, environment string) (live bool, err error) {
	others := e.cluster.Load()
	if others == nil {
		return false, nil
	}
	node, ok := others.Find(ctx, func(n state.Node) bool { return n.Process == process })
	if !ok {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, askEnvironment)
	defer cancel()
	answer, err := others.Ask(ctx, node, http.MethodGet, pathEnvironment, http.Header{headerEnvironment: {environment}}, nil)
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
		return true, nil
	case http.StatusGone:
		return false, nil
	}
	return false, fmt.Errorf("node %s answers %d", node.Name, answer.StatusCode)
}

// serveEnvironment answers what askEnvironment asks another node.
func (e *Engine) serveEnvironment(w http.ResponseWriter, r *http.Request) {
	status := http.StatusGone
	if e.environments.Lives(r.Header.Get(headerEnvironment)) {
		status = http.StatusOK
	}
	w.WriteHeader(status)
}
