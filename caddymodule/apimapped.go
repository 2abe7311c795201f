package caddymodule

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/trace"
)

// calling makes what answers the requests of a route by a function whose event and answer are made
// by templates.
func (s *apiServer) calling(app *App, route *servedRoute) (caddyhttp.Handler, error) {
	mocker, err := gateway.NewMocker(route.of.Integration.Mock, true)
	return caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error { return s.callMapped(app, w, r, route, mocker) }), err
}

func (s *apiServer) callMapped(app *App, w http.ResponseWriter, r *http.Request, route *servedRoute, mocker *gateway.Mocker) error {
	if route.permitted != nil && !route.permitted(r.Context()) {
		return refuseAPI(w, r, s.api.Protocol.Misconfigured(), errNoPermission)
	}
	var share bodies.Share
	defer share.End()
	in := s.input(w, r, route)
	intake := bodies.Intake{Most: maxEvent, Weight: weight, Budget: s.bodies, Rate: slowest}
	var err error
	if in.Body, err = intake.Read(w, r, nil, &share); err != nil {
		return s.refuseUnsigned(w, r, readError(err))
	}
	event, made, err := mocker.Event(r.Header.Get("Content-Type"), in)
	if err != nil {
		return s.failTemplate(w, r, route, err)
	}
	ctx := r.Context()
	if route.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, route.timeout)
		defer cancel()
	}
	var message string
	if in.Body, message, err = app.invoke(ctx, &route.of.Integration, event); err != nil {
		return s.refuseUnsigned(w, r, err)
	}
	answer, err := mocker.Respond(message, r.Header.Get("Accept"), in, made)
	if err != nil {
		return s.failTemplate(w, r, route, err)
	}
	return writeAnswer(w, answer)
}

// invoke calls a function. message is that of its error, "" if it has none.
func (a *App) invoke(ctx context.Context, of *gateway.Integration, event []byte) (payload []byte, message string, err error) {
	call := environment.NewCall()
	call.Function, call.Qualifier, call.RequestID = of.Function, of.Qualifier, function.NewRequestID()
	call.TraceID, _ = trace.Next("", a.account().Key(of.Function))
	if err := call.Begin(""); err != nil {
		return nil, "", err
	}
	call.Frame = append(call.Frame, event...)
	if err := a.setup.Runner().Invoke(ctx, call); err != nil {
		return nil, "", err
	}
	payload = slices.Clone(call.Payload)
	if call.Outcome == environment.OutcomeResult {
		return payload, "", nil
	}
	var failed struct{ ErrorMessage string }
	_ = json.Unmarshal(payload, &failed) // without a message, the default response is for it
	return payload, failed.ErrorMessage, nil
}
