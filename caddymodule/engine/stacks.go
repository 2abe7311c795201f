package engine

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/access"
	"github.com/hearthfn/hearth/caddymodule/awsapi/lambda"
	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
	"github.com/hearthfn/hearth/caddymodule/awsapi/passage"
	"github.com/hearthfn/hearth/caddymodule/awsapi/s3"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/caddymodule/stack"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/sandbox/network"
)

// calls are the services of a setup, for who calls them in this process.
type calls struct {
	lambda *lambda.API
	aws    *awsapi.Endpoint
	s3     *s3.API
	// passage passes calls on to configured services; nil: there are none.
	passage *passage.Passage
	// passedS3 passes requests on to the configured S3; nil: there is none, or it has no address.
	passedS3 *s3.Passage
	models   map[string]*model.Model
	bucket   lambda.Bucket // of artefacts; nil: there is none
	// urlSuffix is what follows the region in the addresses of APIs.
	urlSuffix string
}

// serve answers a request as if a client had sent it.
func (c *calls) serve(w http.ResponseWriter, r *http.Request) bool {
	return c.s3 != nil && c.s3.Serve(w, r) || c.passedS3 != nil && c.passedS3.Serve(w, r) || c.lambda != nil && c.lambda.Serve(w, r) || c.aws != nil && c.aws.Serve(w, r) ||
		c.passage != nil && c.passage.Serve(w, r)
}

// ServeCall answers a call of AWS's APIs as if a client had sent it, and reports whether it is one.
// Who makes the call in this process says whose it is: sigv4.Insider.
func (s *Setup) ServeCall(w http.ResponseWriter, r *http.Request) bool { return s.calls.serve(w, r) }

// suffixOf is what follows the region in the addresses of APIs, with the port: tools join
// https://ID.execute-api.REGION.SUFFIX themselves.
func suffixOf(address, region string) string {
	_, host, _ := strings.Cut(address, "://")
	host, _, _ = strings.Cut(host, "/")
	if _, suffix, found := strings.Cut(host, ".execute-api."+region+"."); found {
		return suffix
	}
	_, suffix, _ := strings.Cut(host, ".")
	return suffix
}

// newStacks makes what works on stacks. It calls the services of the settings in force.
func (e *Engine) newStacks(c *Config) *stack.Engine {
	return stack.New(stack.Config{
		Store: e.records, Log: c.Log, Identity: e.identity.name, Process: e.process,
		Services: func() stack.Services {
			s := e.current.Load()
			passed := slices.Collect(maps.Keys(s.services.Passed()))
			if s.calls.passedS3 != nil {
				passed = append(passed, "s3")
			}
			return stack.Services{Serve: s.calls.serve, Open: s.openTemplate, Role: s.roleOfStack, Models: s.calls.models, Passed: passed, Notifies: s.Notifies()}
		},
		Settings: func() stack.Settings {
			s := e.current.Load()
			return stack.Settings{Account: s.Account, URLSuffix: s.calls.urlSuffix, IgnoreTypes: s.IgnoreResources, Endpoint: s.addresses.API, Inside: s.insideAddress(), Key: s.derive("hearth stacks")}
		},
	})
}

// roleOfStack finds the role that a stack was given.
func (s *Setup) roleOfStack(ctx context.Context, arn string) (role *stack.Role, trusts bool, err error) {
	grant, err := s.engine.roles.ByARN(ctx, arn)
	if grant == nil || err != nil {
		return nil, false, err
	}
	return &stack.Role{Name: grant.Name, ID: grant.ID}, s.RolesOff || access.Trusts(grant, "cloudformation.amazonaws.com"), nil
}

// insideAddress is where functions of this server reach it.
func (s *Setup) insideAddress() string {
	at := s.engine.inside.address()
	if s.inside == nil || !at.IsValid() {
		return s.addresses.API
	}
	if s.machinery.sandbox.HasNetworks() && s.machinery.networkOf(&s.Settings).Network == function.NetworkPrivate {
		at = netip.AddrPortFrom(network.ResolverAddress(), at.Port())
	}
	return "http://" + at.String()
}

// maxTemplate bounds a template that is read from a bucket, in bytes: it is refused then, by its
// size.
const maxTemplate = 1<<20 + 1

// openTemplate reads a template, or what one includes, from the bucket of artefacts. Whoever asks
// for it must be allowed to read it, for GetTemplate gives it away.
func (s *Setup) openTemplate(ctx context.Context, by *sigv4.Key, bucket, key, version string) ([]byte, error) {
	if s.calls.bucket == nil {
		return nil, errors.New("this server has no bucket: set the option s3")
	}
	if err := s.Access().Check(ctx, by, &http.Request{}, access.S3("GetObject", bucket, key)...); err != nil {
		return nil, err
	}
	content, err := s.calls.bucket.Open(ctx, bucket, key, version)
	var refused *lambda.S3Error
	if errors.As(err, &refused) {
		return nil, errors.New(refused.Message)
	}
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(content, maxTemplate))
	return data, errors.Join(err, content.Close())
}

// AnswerStacks takes what custom resources answer.
func (s *Setup) AnswerStacks(w http.ResponseWriter, r *http.Request) {
	s.engine.stacks.ServeHTTP(w, r)
}
