package services

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// A Gateway is another server, whose functions this one delivers events to by the
// Lambda API: the invoker as a process of its own.
type Gateway struct {
	client *lambda.Client
}

// Limits of calls to a gateway.
const (
	gatewayConnections = 256
	gatewayTimeout     = 91 * time.Minute // the longest function takes 90
)

func newGateway(s *Service) (*Gateway, error) {
	if s.endpoint == nil {
		return nil, errors.New("endpoint is missing, e.g. https://api.example.com")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = gatewayConnections
	return &Gateway{lambda.New(lambda.Options{
		Region: s.Region, BaseEndpoint: s.base(), Credentials: s,
		HTTPClient: &http.Client{Transport: transport, Timeout: gatewayTimeout},
		Retryer:    aws.NopRetryer{}, // the invoker waits and tries again, and keeps count
	})}, nil
}

// Invoke implements warmpool.Runner by a function there.
func (g *Gateway) Invoke(ctx context.Context, call *environment.Call) error {
	in := &lambda.InvokeInput{FunctionName: &call.Function, Qualifier: &call.Qualifier, Payload: call.Event()}
	if call.ClientContext != "" {
		in.ClientContext = aws.String(base64.StdEncoding.EncodeToString([]byte(call.ClientContext)))
	}
	began := time.Now()
	out, err := g.client.Invoke(ctx, in)
	var throttled *types.TooManyRequestsException
	var missing *types.ResourceNotFoundException
	switch {
	case errors.As(err, &throttled):
		return &warmpool.ThrottledError{Function: call.Function, Reason: string(throttled.Reason), Detail: "by the gateway"}
	case errors.As(err, &missing):
		return fmt.Errorf("%s: %w", missing.ErrorMessage(), registry.ErrNotFound)
	case err != nil:
		return fmt.Errorf("gateway: %w", err)
	}
	call.Version, call.Duration = aws.ToString(out.ExecutedVersion), time.Since(began)
	call.Payload = append(call.Payload[:0], out.Payload...)
	call.Outcome = environment.OutcomeResult
	if out.FunctionError != nil {
		call.Outcome = environment.OutcomeError
		if bytes.Contains(out.Payload, []byte("Sandbox.Timedout")) {
			call.Outcome = environment.OutcomeTimeout
		}
	}
	return nil
}
