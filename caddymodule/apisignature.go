package caddymodule

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi/access"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/warmpool/bodies"
)

// A signing checks the signature of a request. The function that it returns gets the body once
// it is read.
type signing func(r *http.Request) (finish func(body []byte) (*apigateway.Identity, error), err error)

// signedFor makes what checks that requests are signed for a service, by a key that may invoke. need
// is what a role's policies must allow for a request.
func (a *App) signedFor(service string, need func(r *http.Request) access.Need) (signing, error) {
	verifier, err := a.setup.Verifier()
	if err != nil {
		return nil, err
	}
	roles := a.setup.Access()
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
			if err := a.permit(roles, key, r, need(r)); err != nil {
				return nil, err
			}
			return &apigateway.Identity{
				AccessKey: key.ID, UserID: key.ID, UserARN: key.ARN(a.Account),
			}, nil
		}, nil
	}, nil
}

// permit asks the policies of a role.
func (a *App) permit(roles *access.Authority, key *sigv4.Key, r *http.Request, need access.Need) error {
	err := roles.Check(r.Context(), key, r, need)
	if denied := new(access.Denied); errors.As(err, &denied) {
		return &requestError{http.StatusForbidden, err}
	}
	return err
}

// executeAPI is the service that requests to APIs are signed for.
const executeAPI = "execute-api"

// invokeNeed is the need of who sends a request to a stage of an API.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-control-access-using-iam-policies-to-invoke-api.html
func (a *App) invokeNeed(api, stage string, path func(r *http.Request) string) func(r *http.Request) access.Need {
	begin := "arn:aws:execute-api:" + a.Region + ":" + a.Account + ":" + api + "/" + stage + "/"
	return func(r *http.Request) access.Need {
		at := path(r)
		resources := []string{begin + at}
		// The same route takes /%61dmin: a policy that closes /admin closes it, too.
		if decoded := apigateway.Unescape(at); decoded != at {
			resources = append(resources, begin+decoded)
		}
		return access.Need{Action: "execute-api:Invoke", Resources: resources}
	}
}

// forward answers a request by the handler of its route. A signature covers the body, and so does
// a validator: then the body is read before.
func (s *apiServer) forward(w http.ResponseWriter, r *http.Request, route *servedRoute) error {
	if route.signed == nil && !route.validator.ReadsBody() {
		return route.handler.ServeHTTP(w, r)
	}
	finish := func([]byte) (*apigateway.Identity, error) { return nil, nil }
	if route.signed != nil {
		var err error
		if finish, err = route.signed(r); err != nil {
			return s.refuseUnsigned(w, r, err)
		}
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
	if err := validate(r, route.validator, body, &share, s.bodies); err != nil {
		return s.refuseUnsigned(w, r, err)
	}
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	return route.handler.ServeHTTP(w, r)
}

// refuseUnsigned refuses a request that is not signed, cannot be read, or is not valid.
func (s *apiServer) refuseUnsigned(w http.ResponseWriter, r *http.Request, err error) error {
	refusal, ok := refusalOf(s.api.Protocol, err)
	if !ok {
		refusal = s.api.Protocol.Failed(webStatus(err))
	}
	return refuseAPI(w, r, refusal, err)
}

// refusalOf is how an API refuses an error of a signature or of a validation. ok says whether err
// is one.
func refusalOf(p gateway.Protocol, err error) (refusal gateway.Refusal, ok bool) {
	var unsigned *sigv4.Error
	var invalid *gateway.InvalidRequest
	switch {
	case p == "":
		return refusal, false
	case errors.As(err, &unsigned):
		return p.Unsigned(unsigned.Code, unsigned.Message), true
	case errors.As(err, &invalid):
		return invalid.Refusal(), true
	}
	return refusal, false
}

// validated is how much memory the check of a body takes, by the size of the body.
const validated = 16

// validate checks a body that was read. Its share of the memory grows meanwhile.
func validate(r *http.Request, by *gateway.Validator, body []byte, share *bodies.Share, budget *bodies.Budget) error {
	if !by.ReadsBody() {
		return nil
	}
	if len(body) > bodies.Small {
		if err := share.Hold(budget, validated*len(body)); err != nil {
			return err
		}
		defer share.Keep(weight * len(body) / 3)
	}
	return by.Body(r.Header.Get("Content-Type"), body)
}
