package engine

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/apigateway/metrics"
	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/access"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv1"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/caddymodule/awsapi/autoscaling"
	"github.com/hearthfn/hearth/caddymodule/awsapi/cloudformation"
	"github.com/hearthfn/hearth/caddymodule/awsapi/cloudwatch"
	"github.com/hearthfn/hearth/caddymodule/awsapi/domain"
	"github.com/hearthfn/hearth/caddymodule/awsapi/events"
	"github.com/hearthfn/hearth/caddymodule/awsapi/iam"
	"github.com/hearthfn/hearth/caddymodule/awsapi/lambda"
	"github.com/hearthfn/hearth/caddymodule/awsapi/logs"
	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
	"github.com/hearthfn/hearth/caddymodule/awsapi/scheduler"
	"github.com/hearthfn/hearth/caddymodule/awsapi/ssm"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sts"
	"github.com/hearthfn/hearth/caddymodule/awsapi/usage"
	"github.com/hearthfn/hearth/invoker/pull"
	"github.com/hearthfn/hearth/invoker/scaling"
	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/state"
)

// LambdaAPI makes the Lambda API of these settings. url is the address of the function URL
// of an ID, "" if there are none. From then on functions that nothing defines may be made.
func (s *Setup) LambdaAPI(url func(id string) string, log *zap.Logger) (*lambda.API, error) {
	verifier, err := s.Verifier()
	if err != nil {
		return nil, err
	}
	launcher := s.machinery.launcher
	config := lambda.Config{
		Registry: s.registry, Code: s.engine.archives, Invoker: s.catalog, Verifier: verifier, Account: s.Account,
		Check: launcher.Check, RuntimeVersion: launcher.RuntimeVersion, URL: url, LinkKey: s.linkKey(),
		Concurrency: cmp.Or(s.Pool.Concurrency, warmpool.DefaultConcurrency), Bodies: s.engine.bodies, Refusals: &s.refusals,
		Mapping: pull.Check, Ignore: s.Ignore, Queue: s.engine, Destination: s.services.Check,
		Source: func(ctx context.Context, m *registry.Mapping) error { return pull.Exists(ctx, s.services, m) },
		Logs:   logs.New(s.engine.logs, s.engine.queries, s.subscriptions(), s.Account, s.Log), Log: log,
	}
	config.Access, config.Role = s.Access(), s.engine.roles.ByARN
	config.Scaling = autoscaling.New(scaling.Store{Records: s.engine.records}, s.Account, s.scalable, s.Log)
	if b := s.services.Bucket(); b != nil { // else the interface would not be nil
		config.Bucket = b
	} else if s.engine.artefacts != nil {
		config.Bucket = uploaded{s.engine.artefacts}
	}
	api := lambda.New(config)
	s.provisioner.Store(api)
	s.calls.lambda, s.calls.bucket = api, config.Bucket
	return api, nil
}

// AWSAPI makes the endpoint of the services that have no endpoint of their own. api is the
// address of an API of API Gateway by its ID, "" if there are none.
func (s *Setup) AWSAPI(api func(id string) string, log *zap.Logger) (*awsapi.Endpoint, error) {
	verifier, err := s.Verifier()
	if err != nil {
		return nil, err
	}
	config := apigatewayv2.Config{
		Store: s.engine.documents, APIs: s.engine.apis, Domains: s.engine.domains, Plans: s.engine.plans, Account: s.Account, Ignore: s.Ignore, Endpoint: api,
	}
	roles := iam.Config{Store: s.engine.documents, Roles: s.engine.roles, Account: s.Account}
	s.calls.urlSuffix = suffixOf(api("x"), s.Account.Region)
	v2, v1 := apigatewayv2.New(config), apigatewayv1.New(config)
	roleService, parameters := iam.New(roles), ssm.New(ssm.Config{Records: s.engine.records, Account: s.Account, Key: s.derive("hearth parameters")})
	rules := events.New(events.Config{Store: s.engine.documents, Rules: s.engine.rules, Account: s.Account, Check: s.services.Check, Dispatch: s.engine.dispatch})
	schedules := scheduler.New(scheduler.Config{Records: s.engine.records, Schedules: s.engine.schedules, Role: s.engine.roles.ByARN, Account: s.Account, Check: s.services.Check})
	watch := cloudwatch.New(s.metricsConfig())
	s.calls.models = map[string]*model.Model{
		"lambda": s.calls.lambda.Model(), "apigatewayv2": v2.Model, "apigateway": v1.Model, "iam": roleService.Model, "ssm": parameters.Model,
		"events": rules.Model, "scheduler": schedules.Model, "cloudwatch": watch.Model,
	}
	s.calls.aws = &awsapi.Endpoint{
		Services: []*awsapi.Service{
			v2, v1, roleService, parameters, sts.New(sts.Config{Account: s.Account, Sessions: verifier, Role: s.engine.roles.ByARN, Access: s.Access()}), rules, schedules, watch,
			cloudformation.New(cloudformation.Config{Engine: s.engine.stacks}),
		},
		Verifier: verifier, Access: s.Access(), Account: s.Account, Bodies: s.engine.bodies, Refusals: &s.refusals, Log: log,
	}
	return s.calls.aws, nil
}

// Access says what the credentials of roles may do.
func (s *Setup) Access() *access.Authority {
	return &access.Authority{Account: s.Account, Roles: s.engine.roles, Off: s.RolesOff}
}

// APIs are the APIs that AWS's API made, as they are served.
func (s *Setup) APIs() *apigatewayv2.APIs { return s.engine.apis }

// APIMetrics count and time the requests of APIs.
func (s *Setup) APIMetrics() *metrics.APIs { return s.engine.apiMetrics }

// Plans are the usage plans that AWS's API made.
func (s *Setup) Plans() *usage.Plans { return s.engine.plans }

// Domains are the custom domain names of those APIs.
func (s *Setup) Domains() *domain.Domains { return s.engine.domains }

// Counters count for all nodes, and outlive a restart. nil: another process has the state, and
// nothing is served here.
func (s *Setup) Counters() state.Counters { return s.engine.records }

// linkKey signs the addresses that code is downloaded from.
func (s *Setup) linkKey() []byte { return s.derive("hearth code links") }

// derive makes a key of 32 bytes for a purpose. It is the same on all nodes that share
// credentials.
func (s *Setup) derive(purpose string) []byte {
	h := hmac.New(sha256.New, []byte(s.credentials.secret))
	h.Write([]byte(purpose))
	return h.Sum(nil)
}

var _ lambda.Queue = (*Engine)(nil)
