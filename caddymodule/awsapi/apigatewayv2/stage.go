package apigatewayv2

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/apigateway/accesslog"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// A Stage serves a deployment of an API.
// https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-stages.html
type Stage struct {
	AccessLogSettings    *AccessLog                `json:"accessLogSettings,omitempty"`
	ApiGatewayManaged    bool                      `json:"apiGatewayManaged,omitempty"`
	AutoDeploy           bool                      `json:"autoDeploy"`
	CreatedDate          time.Time                 `json:"createdDate"`
	DefaultRouteSettings *RouteSettings            `json:"defaultRouteSettings,omitempty"`
	DeploymentId         string                    `json:"deploymentId,omitempty"`
	Description          string                    `json:"description,omitempty"`
	LastDeployment       string                    `json:"lastDeploymentStatusMessage,omitempty"`
	LastUpdatedDate      time.Time                 `json:"lastUpdatedDate"`
	RouteSettings        map[string]*RouteSettings `json:"routeSettings"`
	StageName            string                    `json:"stageName"`
	StageVariables       map[string]string         `json:"stageVariables"`
	Tags                 map[string]string         `json:"tags"`
}

// RouteSettings bound the calls of routes.
type RouteSettings struct {
	DataTraceEnabled       bool     `json:"dataTraceEnabled,omitempty"`
	DetailedMetricsEnabled bool     `json:"detailedMetricsEnabled"`
	LoggingLevel           string   `json:"loggingLevel,omitempty"`
	ThrottlingBurstLimit   *int     `json:"throttlingBurstLimit,omitempty"`
	ThrottlingRateLimit    *float64 `json:"throttlingRateLimit,omitempty"`
}

// An AccessLog says what is written of each request. Caddy's log takes it.
type AccessLog struct {
	DestinationArn string `json:"destinationArn,omitempty"`
	Format         string `json:"format,omitempty"`
}

// check checks settings. None of both members is no access log.
func (l *AccessLog) check(s *service) error {
	if l == nil || *l == (AccessLog{}) {
		return nil
	}
	prefix := "arn:aws:logs:" + s.Account.Region + ":" + s.Account.ID + ":log-group:"
	if !strings.HasPrefix(l.DestinationArn, prefix) || len(l.DestinationArn) == len(prefix) {
		return invalid("Invalid destinationArn of accessLogSettings: %sNAME is expected. The lines go to the log of this server, with that ARN", prefix)
	}
	format, err := accesslog.Parse(l.Format)
	if err != nil {
		return invalid("Invalid format of accessLogSettings: %v", err)
	}
	if !format.Names("requestId") && !format.Names("extendedRequestId") {
		return invalid("Access Log format must contain $context.requestId or $context.extendedRequestId")
	}
	return nil
}

// gateway is an access log as the data plane knows it, nil for none.
func (l *AccessLog) gateway() *gateway.AccessLog {
	if l == nil || l.Format == "" {
		return nil
	}
	return &gateway.AccessLog{Format: l.Format, Destination: l.DestinationArn}
}

// stageMore are members of stages that are refused.
type stageMore struct {
	ClientCertificateId string
}

func (m *stageMore) check() error {
	switch {
	case m.ClientCertificateId != "":
		return invalid("clientCertificateId is not supported: functions are called without HTTP")
	}
	return nil
}

var stagePattern = regexp.MustCompile(`^(\$default|[a-zA-Z0-9_-]{1,128})$`)

// maxStages is AWS's quota.
const maxStages = 10

func (g *RouteSettings) check(p gateway.Protocol) error {
	switch {
	case g == nil:
		return nil
	case (g.DataTraceEnabled || g.LoggingLevel != "" && g.LoggingLevel != "OFF") && p == gateway.HTTP:
		return invalid("Execution logs are not supported on protocol type HTTP")
	case g.DataTraceEnabled, g.LoggingLevel != "" && g.LoggingLevel != "OFF":
		return invalid("Execution logs (dataTraceEnabled, loggingLevel) are not supported: the logs of functions are kept, and Caddy has an access log")
	case g.DetailedMetricsEnabled && p == gateway.WebSocket:
		return invalid("detailedMetricsEnabled is not supported for WebSocket APIs: the metrics of functions have their calls")
	case g.ThrottlingBurstLimit != nil && *g.ThrottlingBurstLimit < 0, g.ThrottlingRateLimit != nil && !(*g.ThrottlingRateLimit >= 0):
		return invalid("Throttling limits must be 0 or more")
	case (g.ThrottlingBurstLimit == nil) != (g.ThrottlingRateLimit == nil):
		return invalid("throttlingBurstLimit and throttlingRateLimit must be set together")
	}
	return nil
}

func (g *Stage) check(s *service, set *document.Set) error {
	if err := g.AccessLogSettings.check(s); err != nil {
		return err
	}
	if l := g.AccessLogSettings; l != nil && *l == (AccessLog{}) {
		g.AccessLogSettings = nil
	}
	if g.DefaultRouteSettings == nil {
		g.DefaultRouteSettings = &RouteSettings{}
	}
	if g.RouteSettings == nil {
		g.RouteSettings = map[string]*RouteSettings{}
	}
	if g.StageVariables == nil {
		g.StageVariables = map[string]string{}
	}
	if g.Tags == nil {
		g.Tags = map[string]string{}
	}
	protocol, err := protocolOf(set)
	if err != nil {
		return err
	}
	if protocol == gateway.WebSocket && g.AccessLogSettings != nil {
		return invalid("accessLogSettings are not supported for WebSocket APIs: Caddy's own access log has the clients that connect")
	}
	if err := g.DefaultRouteSettings.check(protocol); err != nil {
		return err
	}
	if len(g.RouteSettings) > 0 {
		routes, err := document.All[Route](set, docRoute)
		if err != nil {
			return err
		}
		known := make(map[string]bool, len(routes))
		for _, r := range routes {
			known[r.RouteKey] = true
		}
		for key, settings := range g.RouteSettings {
			if !known[key] {
				return &awsapi.Exception{Name: notFound, Message: fmt.Sprintf("Unable to find Route by key %.200s within the provided RouteSettings", key)}
			}
			if err := settings.check(protocol); err != nil {
				return err
			}
		}
	}
	if g.DeploymentId != "" && !set.Has(docDeployment+g.DeploymentId) {
		return missing("Deployment", fmt.Sprintf("%.64s", g.DeploymentId))
	}
	return checkTags(g.Tags)
}

type createStageInput struct {
	Stage
	stageMore
	ApiId string
}

func (s *service) createStage(ctx context.Context, in *createStageInput) (*Stage, error) {
	g := &in.Stage
	if err := in.stageMore.check(); err != nil {
		return nil, err
	}
	if g.AutoDeploy && g.DeploymentId != "" {
		return nil, invalid("deploymentId cannot be set on a stage with autoDeploy")
	}
	g.CreatedDate = s.now()
	g.LastUpdatedDate = g.CreatedDate
	return s.readBack(ctx, in.ApiId, g.StageName, func(e *document.Edit) error {
		if len(e.Names(docStage)) >= maxStages {
			return invalid("Maximum number of stages for this API has been reached: %d", maxStages)
		}
		if e.Has(docStage + g.StageName) {
			return conflicts("Stage already exists")
		}
		protocol, err := protocolOf(&e.Set)
		if err != nil {
			return err
		}
		if err := checkStageName(protocol, g.StageName); err != nil {
			return err
		}
		if err := g.check(s, &e.Set); err != nil {
			return err
		}
		return e.Put(docStage+g.StageName, g)
	})
}

// readBack changes an API, and returns a stage as it is then, with what an automatic deployment
// made of it.
func (s *service) readBack(ctx context.Context, apiID, name string, decide func(e *document.Edit) error) (*Stage, error) {
	if err := s.change(ctx, apiID, decide); err != nil {
		return nil, err
	}
	return s.getStage(ctx, &stageInput{ApiId: apiID, StageName: name})
}

type stageInput struct {
	paging
	ApiId, StageName, RouteKey string
}

func (s *service) getStage(ctx context.Context, in *stageInput) (*Stage, error) {
	return get[Stage](ctx, s, in.ApiId, docStage, in.StageName, "stage")
}

func (s *service) getStages(ctx context.Context, in *stageInput) (*list[*Stage], error) {
	return all(ctx, s, in.ApiId, docStage, func(g *Stage) string { return g.StageName }, in.paging)
}

func (s *service) updateStage(r *awsapi.Request) (any, error) {
	in := new(struct {
		stageInput
		stageMore
		DeploymentId string
	})
	if err := r.Read(in); err != nil {
		return nil, err
	}
	if err := in.stageMore.check(); err != nil {
		return nil, err
	}
	return s.readBack(r.Context(), in.ApiId, in.StageName, func(e *document.Edit) error {
		g, err := find[Stage](&e.Set, docStage, in.StageName, "stage")
		if err != nil {
			return err
		}
		variables, settings := g.StageVariables, g.RouteSettings
		if err := r.Read(g); err != nil {
			return err
		}
		if g.AutoDeploy && in.DeploymentId != "" {
			return invalid("deploymentId cannot be set on a stage with autoDeploy")
		}
		// Members of maps are set one by one; an empty variable is removed.
		maps.Copy(variables, g.StageVariables)
		maps.DeleteFunc(variables, func(_, value string) bool { return value == "" })
		maps.Copy(settings, g.RouteSettings)
		g.StageVariables, g.RouteSettings = variables, settings
		if err := g.check(s, &e.Set); err != nil {
			return err
		}
		g.LastUpdatedDate = s.now()
		return e.Put(docStage+g.StageName, g)
	})
}

// changeStage changes one stage.
func (s *service) changeStage(ctx context.Context, in *stageInput, change func(e *document.Edit, g *Stage) error) (awsapi.None, error) {
	return awsapi.None{}, s.change(ctx, in.ApiId, func(e *document.Edit) error {
		g, err := find[Stage](&e.Set, docStage, in.StageName, "stage")
		if err != nil {
			return err
		}
		return change(e, g)
	})
}

func (s *service) deleteStage(ctx context.Context, in *stageInput) (awsapi.None, error) {
	return s.changeStage(ctx, in, func(e *document.Edit, g *Stage) error {
		e.Delete(docStage + g.StageName)
		return dropAutomatic(e, g.DeploymentId)
	})
}

func (s *service) deleteRouteSettings(ctx context.Context, in *stageInput) (awsapi.None, error) {
	return s.changeStage(ctx, in, func(e *document.Edit, g *Stage) error {
		if g.RouteSettings[in.RouteKey] == nil {
			return missing("route settings", fmt.Sprintf("%.128s", in.RouteKey))
		}
		delete(g.RouteSettings, in.RouteKey)
		return e.Put(docStage+g.StageName, g)
	})
}

func (s *service) deleteAccessLogSettings(ctx context.Context, in *stageInput) (awsapi.None, error) {
	return s.changeStage(ctx, in, func(e *document.Edit, g *Stage) error {
		g.AccessLogSettings = nil
		return e.Put(docStage+g.StageName, g)
	})
}
