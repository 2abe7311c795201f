package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/access"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/caddymodule/engine"
	"github.com/hearthfn/hearth/caddymodule/socket"
	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/function"
)

func init() {
	caddy.RegisterModule(Connections{})
}

// Connections answers requests for STAGE/@connections/ID, by which functions send messages to
// the clients of WebSocket APIs, ask about them and close them. They are signed with the access
// keys of the hearth app. Other requests go to the next handler. A site with hearth_websocket
// does the same; Connections is for paths that do not get there.
type Connections struct {
	management *connections
}

// CaddyModule returns the Caddy module information.
func (Connections) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.hearth_connections",
		New: func() caddy.Module { return new(Connections) },
	}
}

// Provision gets the access keys.
func (c *Connections) Provision(ctx caddy.Context) error {
	module, err := ctx.App("hearth")
	if err != nil {
		return err
	}
	c.management, err = newConnections(module.(*App), ctx.Logger())
	return err
}

// ServeHTTP answers requests for @connections.
func (c *Connections) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if c.management.serve(w, r, nil, r.URL.Path) {
		return nil
	}
	return next.ServeHTTP(w, r)
}

// connections answer the API Gateway Management API.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
type connections struct {
	app      *App
	log      *zap.Logger
	verifier *sigv4.Verifier
}

func newConnections(app *App, log *zap.Logger) (*connections, error) {
	verifier, err := app.setup.Verifier()
	return &connections{app, log, verifier}, err
}

// connectionsPath stands between the stage and the connection ID.
const connectionsPath = "/@connections/"

// serve answers a request for the sockets of an API, and reports whether it is one. nil: of any
// API of the configuration, not of those that AWS's API made, which have addresses of their own.
// path is the request's, and begins with the stage.
func (c *connections) serve(w http.ResponseWriter, r *http.Request, api *apigatewayv2.Served, path string) bool {
	stage, id, found := strings.Cut(path, connectionsPath)
	if !found {
		return false
	}
	w.Header()["X-Amzn-Requestid"] = []string{function.NewRequestID()}
	stage = strings.TrimPrefix(stage, "/")
	to := make([]engine.Connection, 0, 1)
	if api != nil {
		to = append(to, engine.Connection{API: api.ID, Stage: stage, ID: id})
	}
	for _, name := range c.app.socketNames(stage) {
		if api == nil {
			to = append(to, engine.Connection{API: name, Stage: stage, ID: id})
		}
	}
	if err := c.answer(w, r, to); err != nil {
		c.refuse(w, r, err)
	}
	return true
}

// first does something with the socket that is there, of several APIs that may have it.
func first(to []engine.Connection, do func(engine.Connection) error) (err error) {
	err = socket.ErrGone
	for _, one := range to {
		if err = do(one); !errors.Is(err, socket.ErrGone) {
			return err
		}
	}
	return err
}

func (c *connections) answer(w http.ResponseWriter, r *http.Request, to []engine.Connection) error {
	if r.Method != http.MethodPost && r.Method != http.MethodGet && r.Method != http.MethodDelete {
		return &awsapi.Exception{Name: "ForbiddenException", Message: "Forbidden", Status: http.StatusForbidden}
	}
	var share bodies.Share
	defer share.End()
	message, err := c.authorize(w, r, to, &share)
	if err != nil {
		return err
	}
	ctx := r.Context()
	switch r.Method {
	case http.MethodPost:
		if err := first(to, func(one engine.Connection) error { return c.app.engine.Post(ctx, one, message) }); err != nil {
			return err
		}
		w.WriteHeader(http.StatusOK)
	case http.MethodDelete:
		if err := first(to, func(one engine.Connection) error { return c.app.engine.Hangup(ctx, one) }); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		var info socket.Info
		if err := first(to, func(one engine.Connection) (err error) {
			info, err = c.app.engine.Connection(ctx, one)
			return err
		}); err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(shownConnection(info)) // the client may be gone
	}
	return nil
}

// shownConnection is the answer to GET.
func shownConnection(info socket.Info) any {
	type identity struct {
		SourceIP  string `json:"sourceIp"`
		UserAgent string `json:"userAgent"`
	}
	return struct {
		ConnectedAt  string   `json:"connectedAt"`
		Identity     identity `json:"identity"`
		LastActiveAt string   `json:"lastActiveAt"`
	}{
		info.ConnectedAt.UTC().Format(timeOfConnection), identity{info.SourceIP, info.UserAgent}, info.LastActiveAt.UTC().Format(timeOfConnection),
	}
}

// timeOfConnection is how the Management API writes times.
const timeOfConnection = "2006-01-02T15:04:05.000Z"

// authorize verifies a request's signature and reads its body.
func (c *connections) authorize(w http.ResponseWriter, r *http.Request, to []engine.Connection, share *bodies.Share) ([]byte, error) {
	check, err := c.verifier.Begin(r, executeAPI)
	if err != nil {
		return nil, err
	}
	intake := bodies.Intake{Most: socket.MaxMessage, Weight: 3, Budget: c.app.engine.Bodies(), Rate: slowest}
	if check.Proven() {
		intake.Rate = 0
	}
	message, err := intake.Read(w, r, nil, share)
	if err != nil {
		return nil, err
	}
	key, err := check.Finish(message)
	if err == nil && key.ReadOnly && r.Method != http.MethodGet {
		err = &awsapi.Exception{Name: "ForbiddenException", Status: http.StatusForbidden, Message: "access key " + key.ID + " is read-only"}
	}
	if err != nil {
		return nil, err
	}
	need := access.Need{Action: "execute-api:ManageConnections"}
	for _, one := range to {
		need.Resources = append(need.Resources, "arn:aws:execute-api:"+c.app.Region+":"+c.app.Account+":"+one.API+"/"+one.Stage+"/"+r.Method+connectionsPath+one.ID)
	}
	err = c.app.setup.Access().Check(r.Context(), key, r, need)
	if denied := new(access.Denied); errors.As(err, &denied) {
		err = &awsapi.Exception{Name: "ForbiddenException", Status: http.StatusForbidden, Message: denied.Message}
	}
	return message, err
}

// refuse answers with an error, as AWS does.
func (c *connections) refuse(w http.ResponseWriter, r *http.Request, err error) {
	x := exceptionOfConnection(err)
	if x == nil {
		if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
			return // nobody is there to tell
		}
		c.app.setup.Refusals().Tell(c.log, zap.ErrorLevel, "request for a connection failed", r.Method, func() []zap.Field {
			return []zap.Field{zap.String("method", r.Method), zap.Error(err)}
		})
		x = &awsapi.Exception{Name: "InternalServerErrorException", Message: "Internal server error", Status: http.StatusInternalServerError}
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("X-Amzn-Errortype", x.Name)
	body, err := json.Marshal(map[string]string{"message": x.Message})
	if err != nil {
		panic(err) // strings always encode
	}
	bodies.Refuse(w, r, x.Status, body)
}

// exceptionOfConnection is what a client is told of an error; nil for an error of the server.
func exceptionOfConnection(err error) *awsapi.Exception {
	var known *awsapi.Exception
	var unsigned *sigv4.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &unsigned):
		return &awsapi.Exception{Name: unsigned.Code, Message: unsigned.Message, Status: unsigned.Status}
	case errors.Is(err, socket.ErrGone):
		return &awsapi.Exception{Name: "GoneException", Message: "Gone", Status: http.StatusGone}
	case errors.Is(err, engine.ErrConnectionID):
		return &awsapi.Exception{Name: "BadRequestException", Message: "Invalid connectionId", Status: http.StatusBadRequest}
	case errors.Is(err, socket.ErrBusy), errors.Is(err, bodies.ErrFull):
		return &awsapi.Exception{Name: "LimitExceededException", Message: "Limit exceeded", Status: http.StatusTooManyRequests}
	case errors.Is(err, bodies.ErrTooLarge):
		return &awsapi.Exception{Name: "PayloadTooLargeException", Message: "Message too long", Status: http.StatusRequestEntityTooLarge}
	case errors.Is(err, bodies.ErrSlow):
		return &awsapi.Exception{Name: "RequestTimeoutException", Message: "The body came too slowly", Status: http.StatusRequestTimeout}
	}
	return nil
}

var (
	_ caddy.Provisioner           = (*Connections)(nil)
	_ caddyhttp.MiddlewareHandler = (*Connections)(nil)
)
