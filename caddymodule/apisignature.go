package caddymodule

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/warmpool/bodies"
)

// A signing checks the signature of a request. The function that it returns gets the body once
// it is read.
type signing func(r *http.Request) (finish func(body []byte) (*apigateway.Identity, error), err error)

// signedFor makes what checks that requests are signed for a service, by a key that may invoke.
func (a *App) signedFor(service string) (signing, error) {
	verifier, err := a.setup.Verifier()
	if err != nil {
		return nil, err
	}
	return func(r *http.Request) (func([]byte) (*apigateway.Identity, error), error) {
		check, err := verifier.Begin(r, service)
		if err != nil {
			return nil, err
		}
		return func(body []byte) (*apigateway.Identity, error) {
			key, err := check.Finish(body)
			if err != nil {
				return nil, err
			}
			if key.ReadOnly {
				return nil, &requestError{http.StatusForbidden, fmt.Errorf("access key %s is read-only", key.ID)}
			}
			return &apigateway.Identity{
				AccessKey: key.ID, UserID: key.ID, UserARN: key.ARN(a.Account),
			}, nil
		}, nil
	}, nil
}

// executeAPI is the service that requests to APIs are signed for.
const executeAPI = "execute-api"

// forward answers a signed request by the handler of its route. The signature covers the body,
// which is therefore read before.
func (s *apiServer) forward(w http.ResponseWriter, r *http.Request, route *servedRoute) error {
	if route.signed == nil {
		return route.handler.ServeHTTP(w, r)
	}
	finish, err := route.signed(r)
	if err != nil {
		return s.refuseUnsigned(w, r, err)
	}
	var share bodies.Share
	defer share.End()
	intake := bodies.Intake{Most: maxEvent, Weight: 3, Budget: s.bodies, Rate: slowest}
	body, err := intake.Read(w, r, nil, &share)
	if err != nil {
		return s.refuseUnsigned(w, r, readError(err))
	}
	if _, err := finish(body); err != nil {
		return s.refuseUnsigned(w, r, err)
	}
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	return route.handler.ServeHTTP(w, r)
}

// refuseUnsigned refuses a request that is not signed, or cannot be read.
func (s *apiServer) refuseUnsigned(w http.ResponseWriter, r *http.Request, err error) error {
	refusal, ok := unsigned(s.api.Protocol, err)
	if !ok {
		refusal = s.api.Protocol.Failed(webStatus(err))
	}
	return refuseAPI(w, r, refusal, err)
}

// unsigned is how an API refuses an error of a signature. ok says whether err is one.
func unsigned(p gateway.Protocol, err error) (refusal gateway.Refusal, ok bool) {
	var of *sigv4.Error
	if p == "" || !errors.As(err, &of) {
		return refusal, false
	}
	return p.Unsigned(of.Code, of.Message), true
}
