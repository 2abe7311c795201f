package caddymodule

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"golang.org/x/term"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/autoscaling"
	"github.com/hearthfn/hearth/caddymodule/awsapi/foreign"
	"github.com/hearthfn/hearth/caddymodule/awsapi/lambda"
	"github.com/hearthfn/hearth/caddymodule/awsapi/passage"
	"github.com/hearthfn/hearth/caddymodule/awsapi/s3"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/caddymodule/stack"
	"github.com/hearthfn/hearth/warmpool/function"
)

func init() {
	caddy.RegisterModule(LambdaAPI{})
}

// LambdaAPI answers the REST API of AWS Lambda, those of API Gateway for HTTP APIs and REST
// APIs, and the parts of CloudWatch Logs, EventBridge, IAM, SSM, STS and S3 that clients need, so that
// the aws command, AWS's SDKs and the tools built on them work with this server by its address. Clients
// sign requests with the access keys of the hearth app. Other requests go to the next handler.
// LambdaAPI refuses by name a call of another AWS service that no handler answers.
type LambdaAPI struct {
	app   *App
	api   *lambda.API
	aws   *awsapi.Endpoint // the other services
	s3    *s3.API          // nil: calls of S3 are passed on
	hosts *apiHosts
	// passage passes calls on to services of the configuration.
	passage  *passage.Passage
	passedS3 *s3.Passage // nil: there is no S3 to pass requests on to
	served   []string    // the names of all services that are answered, in signatures
	shutdown shutdown
}

// CaddyModule returns the Caddy module information.
func (LambdaAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.hearth_lambda_api",
		New: func() caddy.Module { return new(LambdaAPI) },
	}
}

// Provision makes the API.
func (l *LambdaAPI) Provision(ctx caddy.Context) error {
	module, err := ctx.App("hearth")
	if err != nil {
		return err
	}
	l.app, l.shutdown = module.(*App), newShutdown(ctx)
	a := l.app
	if err := a.checkAdminOfAPI(); err != nil {
		return err
	}
	l.api, err = a.setup.LambdaAPI(a.functionURL, ctx.Logger())
	if err != nil {
		return err
	}
	if l.aws, err = a.setup.AWSAPI(a.apiURL, ctx.Logger()); err != nil {
		return err
	}
	if l.s3, err = a.setup.S3(ctx.Logger()); err != nil {
		return err
	}
	if l.passage, err = a.setup.Passage(ctx.Logger()); err != nil {
		return err
	}
	if l.passedS3, err = a.setup.PassedS3(ctx.Logger()); err != nil {
		return err
	}
	l.served = l.services()
	l.hosts, err = newAPIHosts(ctx, a)
	a.hasAPI = err == nil
	a.setup.ServeInside(inside{l})
	return err
}

// services are the names of the services that are answered, sorted.
func (l *LambdaAPI) services() []string {
	names := append(l.passage.Services(), "lambda", "logs", autoscaling.Service)
	for _, s := range l.aws.Services {
		names = append(names, s.Model.Scope)
	}
	if l.s3 != nil || l.passedS3 != nil {
		names = append(names, sigv4.S3)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// serveAWS answers the calls of services that are here, and reports whether it is one.
func (l *LambdaAPI) serveAWS(w http.ResponseWriter, r *http.Request) bool {
	if strings.HasPrefix(r.URL.Path, stack.ResponsePath) {
		l.app.setup.AnswerStacks(w, r)
		return true
	}
	if l.s3 != nil && l.s3.Serve(w, r) || l.passedS3 != nil && l.passedS3.Serve(w, r) { // then: a path of S3 may be any path
		return true
	}
	return l.api.Serve(w, r) || l.aws.Serve(w, r) || l.passage.Serve(w, r)
}

// Cleanup ends what answers for APIs of API Gateway.
func (l *LambdaAPI) Cleanup() error {
	l.hosts.close()
	return nil
}

// ServeHTTP answers requests of the APIs and passes the others on.
func (l *LambdaAPI) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if answered, err := l.hosts.serve(w, r); answered {
		return err
	}
	bound, done := l.shutdown.bind(r)
	defer done()
	if l.serveAWS(w, bound) {
		return nil
	}
	if !foreign.Is(r) {
		// After the APIs themselves, which a domain name must not hide.
		if answered, err := l.hosts.serveDomain(w, r); answered {
			return err
		}
		return next.ServeHTTP(w, r)
	}
	watcher := &answerWatcher{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}}
	if err := next.ServeHTTP(watcher, r.WithContext(context.WithValue(r.Context(), refusedByName{}, true))); err != nil || watcher.answered {
		return err
	}
	// Caddy would answer with an empty 200. A client would take it for success.
	foreign.Of(r).Refuse(w, r, function.NewRequestID(), l.served)
	return nil
}

// refusedByName is the key of a request's context that says that LambdaAPI refuses the request if
// nothing after it answers. APIs on the same site must not: tools look for a service's own error.
type refusedByName struct{}

// An answerWatcher notes whether a handler answers.
type answerWatcher struct {
	*caddyhttp.ResponseWriterWrapper
	answered bool
}

func (w *answerWatcher) WriteHeader(status int) {
	w.answered = true
	w.ResponseWriterWrapper.WriteHeader(status)
}

func (w *answerWatcher) Write(body []byte) (int, error) {
	w.answered = true
	return w.ResponseWriterWrapper.Write(body)
}

func (w *answerWatcher) ReadFrom(r io.Reader) (int64, error) {
	w.answered = true
	return w.ResponseWriterWrapper.ReadFrom(r)
}

// Hijack is for handlers that take the whole connection.
func (w *answerWatcher) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.answered = true
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// FlushError sends what there is, the header at least.
func (w *answerWatcher) FlushError() error {
	w.answered = true
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// AccessKey is a key that signs requests to the Lambda API, in addition to the key that
// Hearth makes.
type AccessKey struct {
	// The access key ID, 3 to 128 letters, digits and underscores.
	ID string `json:"id,omitempty"`

	// The secret access key, at least 16 bytes. Placeholders such as {env.SECRET} or
	// {file./run/secrets/key} keep it out of the configuration.
	Secret string `json:"secret,omitempty"`

	// Only Get and List operations are allowed. The key can change and invoke nothing.
	ReadOnly bool `json:"read_only,omitempty"`
}

// show prints an access key, but only to a terminal. A service manager, a container or a
// pipe stores its output and others read it, as a log. There show names the key's file.
func (a *App) show(key *sigv4.Key) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		a.log.Info("the access key for the Lambda API is in a file that only this user reads", zap.String("path", a.setup.CredentialsFile()))
		return
	}
	fmt.Fprintf(os.Stderr, "\nThis is the access key for the Lambda API. It is kept in %s and not shown again.\n\n"+
		"  export AWS_ACCESS_KEY_ID=%s\n  export AWS_SECRET_ACCESS_KEY=%s\n  export AWS_DEFAULT_REGION=%s\n\nThis prints what AWS's tools need, the address too: eval \"$(caddy hearth env)\"\n\n", a.setup.CredentialsFile(), key.ID, key.Secret, a.Region)
}

var (
	_ caddy.Provisioner           = (*LambdaAPI)(nil)
	_ caddy.CleanerUpper          = (*LambdaAPI)(nil)
	_ caddyhttp.MiddlewareHandler = (*LambdaAPI)(nil)
)
