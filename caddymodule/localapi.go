package caddymodule

import (
	"errors"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/lambda"
	"github.com/hearthfn/hearth/caddymodule/awsapi/s3"
	"github.com/hearthfn/hearth/caddymodule/cli"
)

// A localAPI answers AWS's APIs at the admin endpoint, so that `caddy hearth` works on the server
// itself without lambda_api. Its callers sign as everywhere: the key is in the data directory.
type localAPI struct {
	lambda *lambda.API
	aws    *awsapi.Endpoint
	s3     *s3.API // nil: the configuration names a store, or nodes share a Redis
}

// provisionLocal makes the API of the admin endpoint. Where nodes share a Redis, there is one only
// if a site has the API or the console: the cluster's key is made for that.
func (a *App) provisionLocal() (err error) {
	if a.Redis.URL != "" && !configures(a.ctx, "hearth_lambda_api") && !configures(a.ctx, "hearth_console") {
		return nil
	}
	var local localAPI
	if local.lambda, err = a.setup.LambdaAPI(a.functionURL, a.log); err != nil {
		return err
	}
	if local.aws, err = a.setup.AWSAPI(a.apiURL, a.log); err != nil {
		return err
	}
	if local.s3, err = a.setup.S3(a.log); err != nil {
		return err
	}
	a.local = &local
	return nil
}

// serveLocal has the API answer, and reverts to the API before when the app is cleaned up.
func (a *App) serveLocal() { a.localBefore = a.engine.local.Swap(a.local) }

func (a *App) stopLocal() { a.engine.local.CompareAndSwap(a.local, a.localBefore) }

// answerAPI answers a request of cli.AdminAPI.
func answerAPI(w http.ResponseWriter, r *http.Request) error {
	path, under := strings.CutPrefix(r.URL.Path, cli.AdminAPI)
	if !under {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errors.New("not an address of the API")}
	}
	local := runningLocal()
	if local == nil {
		// Of a server that starts, too: the endpoint is up before the app.
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: errors.New("no hearth app runs here yet, or nodes share a Redis and no site has lambda_api")}
	}
	signed := r.Clone(r.Context())
	signed.URL.Path, signed.URL.RawPath = path, strings.TrimPrefix(r.URL.RawPath, cli.AdminAPI)
	signed.RequestURI = strings.TrimPrefix(r.RequestURI, cli.AdminAPI)
	if local.s3 != nil && local.s3.Serve(w, signed) { // first, as on a site
		return nil
	}
	if local.lambda.Serve(w, signed) || local.aws.Serve(w, signed) {
		return nil
	}
	return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errors.New("no API has this address")}
}

func runningLocal() (found *localAPI) {
	engines.Range(func(_, value any) bool {
		if e := value.(*pooledEngine); e.Running() {
			found = e.local.Load()
		}
		return found == nil
	})
	return found
}
