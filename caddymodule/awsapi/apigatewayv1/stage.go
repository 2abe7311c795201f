package apigatewayv1

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// A Stage serves a deployment of an API.
// https://docs.aws.amazon.com/apigateway/latest/api/API_Stage.html
type Stage struct {
	AccessLogSettings   *apigatewayv2.AccessLog   `json:"accessLogSettings,omitempty"`
	CacheClusterEnabled bool                      `json:"cacheClusterEnabled"`
	CacheClusterStatus  string                    `json:"cacheClusterStatus"`
	CreatedDate         int64                     `json:"createdDate"`
	DeploymentId        string                    `json:"deploymentId"`
	Description         string                    `json:"description,omitempty"`
	LastUpdatedDate     int64                     `json:"lastUpdatedDate"`
	MethodSettings      map[string]*MethodSetting `json:"methodSettings"`
	StageName           string                    `json:"stageName"`
	Tags                map[string]string         `json:"tags,omitempty"`
	TracingEnabled      bool                      `json:"tracingEnabled"`
	Variables           map[string]string         `json:"variables,omitempty"`
}

// A MethodSetting bounds the calls of methods.
type MethodSetting struct {
	CacheDataEncrypted                     bool    `json:"cacheDataEncrypted"`
	CacheTtlInSeconds                      int     `json:"cacheTtlInSeconds"`
	CachingEnabled                         bool    `json:"cachingEnabled"`
	DataTraceEnabled                       bool    `json:"dataTraceEnabled"`
	LoggingLevel                           string  `json:"loggingLevel"`
	MetricsEnabled                         bool    `json:"metricsEnabled"`
	RequireAuthorizationForCacheControl    bool    `json:"requireAuthorizationForCacheControl"`
	ThrottlingBurstLimit                   int     `json:"throttlingBurstLimit"`
	ThrottlingRateLimit                    float64 `json:"throttlingRateLimit"`
	UnauthorizedCacheControlHeaderStrategy string  `json:"unauthorizedCacheControlHeaderStrategy"`
}

// newMethodSetting is AWS's default of what is not set, but -1 for limits: there is no limit of
// the account here.
func newMethodSetting() *MethodSetting {
	return &MethodSetting{
		CacheTtlInSeconds: 300, LoggingLevel: "OFF", ThrottlingBurstLimit: -1, ThrottlingRateLimit: -1,
		RequireAuthorizationForCacheControl: true, UnauthorizedCacheControlHeaderStrategy: "SUCCEED_WITH_RESPONSE_HEADER",
	}
}

// allMethods is the key of the settings for all methods of a stage.
const allMethods = "*/*"

// Why settings of stages are refused.
const (
	noLog     = "the functions' log groups and Caddy's log have what happened"
	noMetrics = "Caddy's metrics have requests by function"
	noTrace   = "there is no X-Ray here"
	noCanary  = "move an alias of the function step by step: its routing configuration"
)

// stageMore are members of stages that are refused.
type stageMore struct {
	CacheClusterEnabled, TracingEnabled bool
	CacheClusterSize                    string
	CanarySettings                      map[string]any
	DocumentationVersion                string
}

func (m *stageMore) check() error {
	switch {
	case m.CacheClusterEnabled || m.CacheClusterSize != "":
		return invalid("cacheClusterEnabled and cacheClusterSize are not supported: %s", noCache)
	case m.TracingEnabled:
		return invalid("tracingEnabled is not supported: %s", noTrace)
	case m.CanarySettings != nil:
		return invalid("canarySettings are not supported: %s", noCanary)
	case m.DocumentationVersion != "":
		return invalid("documentationVersion is not supported: documentation is not kept here")
	}
	return nil
}

var stageName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)

// maxStages is AWS's quota.
const maxStages = 10

var errStages = &awsapi.Exception{Name: "LimitExceededException", Message: "Maximum number of stages for this API has been reached"}

func (g *Stage) check(set *document.Set) error {
	g.CacheClusterStatus = "NOT_AVAILABLE"
	if g.MethodSettings == nil {
		g.MethodSettings = map[string]*MethodSetting{}
	}
	if !stageName.MatchString(g.StageName) {
		return invalid("Stage name only allows a-zA-Z0-9_")
	}
	if !set.Has(docDeployment + g.DeploymentId) {
		return missing("Deployment")
	}
	for name, value := range g.Variables {
		if !variableName.MatchString(name) || !variableValue.MatchString(value) {
			return invalid("Invalid stage variable %.64q: a name has letters, digits and _, a value matches %s", name, variableValue)
		}
	}
	return apigatewayv2.CheckTags(g.Tags)
}

// https://docs.aws.amazon.com/apigateway/latest/developerguide/stage-variables.html
var (
	variableName  = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)
	variableValue = regexp.MustCompile(`^[A-Za-z0-9-._~:/?#&=,]{1,512}$`)
)

type stageInput struct {
	patches
	stageMore
	RestApiId, DeploymentId, Description, StageName string
	Tags, Variables                                 map[string]string
}

func (s *service) createStage(ctx context.Context, in *stageInput) (*Stage, error) {
	if err := in.stageMore.check(); err != nil {
		return nil, err
	}
	g := &Stage{
		StageName: in.StageName, DeploymentId: in.DeploymentId, Description: in.Description, Tags: in.Tags, Variables: in.Variables,
		CreatedDate: s.now(), LastUpdatedDate: s.now(),
	}
	return g, s.change(ctx, in.RestApiId, func(e *document.Edit) error {
		if e.Has(docStage + g.StageName) {
			return conflicts("Stage already exists")
		}
		if len(e.Names(docStage)) >= maxStages {
			return errStages
		}
		if err := g.check(&e.Set); err != nil {
			return err
		}
		return e.Put(docStage+g.StageName, g)
	})
}

func (s *service) getStage(ctx context.Context, in *stageInput) (*Stage, error) {
	set, err := s.read(ctx, in.RestApiId)
	if err != nil {
		return nil, err
	}
	return find[Stage](set, docStage+in.StageName, "stage")
}

type stages struct {
	Item []*Stage `json:"item"`
}

func (s *service) getStages(ctx context.Context, in *stageInput) (*stages, error) {
	set, err := s.read(ctx, in.RestApiId)
	if err != nil {
		return nil, err
	}
	found, err := document.All[Stage](set, docStage)
	if err != nil {
		return nil, err
	}
	if in.DeploymentId != "" {
		found = slices.DeleteFunc(found, func(g *Stage) bool { return g.DeploymentId != in.DeploymentId })
	}
	return &stages{append([]*Stage{}, found...)}, nil
}

func (s *service) updateStage(ctx context.Context, in *stageInput) (g *Stage, err error) {
	err = s.change(ctx, in.RestApiId, func(e *document.Edit) (err error) {
		if g, err = find[Stage](&e.Set, docStage+in.StageName, "stage"); err != nil {
			return err
		}
		for _, p := range in.PatchOperations {
			if err := g.patch(p); err != nil {
				return err
			}
		}
		if l := g.AccessLogSettings; l != nil && *l == (apigatewayv2.AccessLog{}) {
			g.AccessLogSettings = nil
		}
		if err := s.checkAccessLog(g.AccessLogSettings); err != nil {
			return err
		}
		if err := g.check(&e.Set); err != nil {
			return err
		}
		g.LastUpdatedDate = s.now()
		return e.Put(docStage+g.StageName, g)
	})
	return g, err
}

// checkAccessLog checks an access log. As on AWS, one without a format yet logs nothing.
func (s *service) checkAccessLog(l *apigatewayv2.AccessLog) error {
	if l == nil || l.Format != "" {
		return s.CheckAccessLog(l)
	}
	return s.CheckAccessLog(&apigatewayv2.AccessLog{DestinationArn: l.DestinationArn, Format: "$context.requestId"})
}

// patch applies one patch: to the settings of methods, whose path has the method's in it, or to
// the stage.
func (g *Stage) patch(p patch) error {
	parts := strings.Split(strings.TrimPrefix(p.Path, "/"), "/")
	if n := len(parts); n >= 3 && (parts[n-2] == "throttling" || parts[n-2] == "logging" || parts[n-2] == "metrics" || parts[n-2] == "caching") {
		return g.patchSetting(strings.Join(parts[:n-2], "/"), parts[n-2]+"/"+parts[n-1], p)
	}
	if n := len(parts); n == 2 && p.Op == "remove" && g.MethodSettings[parts[0]+"/"+parts[1]] != nil {
		delete(g.MethodSettings, parts[0]+"/"+parts[1])
		return nil
	}
	if strings.HasPrefix(p.Path, "/accessLogSettings") {
		name, known := strings.TrimPrefix(p.Path, "/"), p.Path == "/accessLogSettings/destinationArn" || p.Path == "/accessLogSettings/format"
		switch {
		case p.Op == "remove" && p.Path != "/accessLogSettings":
			return invalid("Cannot remove method setting %.100s because there is no method setting for this method ", name)
		case p.Op != "remove" && !known:
			return invalid("Invalid accessLogSettings path. Must be one of : [/accessLogSettings/destinationArn, /accessLogSettings/format]")
		case known && p.Value == "":
			return invalid("Access Log value must not be empty")
		}
	}
	if strings.HasPrefix(p.Path, "/accessLogSettings/") && g.AccessLogSettings == nil {
		g.AccessLogSettings = new(apigatewayv2.AccessLog)
	}
	can := fields{
		exact: map[string]field{
			"/deploymentId": text(&g.DeploymentId), "/description": text(&g.Description),
			"/cacheClusterEnabled":  off("cacheClusterEnabled", "false", noCache),
			"/cacheClusterSize":     off("cacheClusterSize", "", noCache),
			"/tracingEnabled":       off("tracingEnabled", "false", noTrace),
			"/xrayTracingEnabled":   off("xrayTracingEnabled", "false", noTrace),
			"/clientCertificateId":  off("clientCertificateId", "", "Caddy has the certificates"),
			"/documentationVersion": off("documentationVersion", "", "documentation is not kept here"),
			"/canarySettings":       off("canarySettings", "", noCanary),
		},
		prefix: map[string]func(string) field{
			"/variables/":      entry(&g.Variables, asText),
			"/canarySettings/": func(string) field { return off("canarySettings", "", noCanary) },
		},
	}
	if l := g.AccessLogSettings; l != nil {
		can.exact["/accessLogSettings/destinationArn"], can.exact["/accessLogSettings/format"] = text(&l.DestinationArn), text(&l.Format)
	}
	if p.Op == "remove" {
		can.exact["/accessLogSettings"] = func(string, bool) error { g.AccessLogSettings = nil; return nil }
	}
	return can.apply([]patch{p})
}

// patchSetting patches a setting of a method, or of */*.
func (g *Stage) patchSetting(key, name string, p patch) error {
	m := g.MethodSettings[key]
	if m == nil {
		m = newMethodSetting()
	}
	can := fields{exact: map[string]field{
		"throttling/burstLimit": number("burstLimit", &m.ThrottlingBurstLimit),
		"throttling/rateLimit": func(value string, _ bool) error {
			rate, err := strconv.ParseFloat(value, 64)
			if err != nil || rate != rate {
				return invalid("Invalid value '%.20s' of rateLimit: a number is expected", value)
			}
			m.ThrottlingRateLimit = rate
			return nil
		},
		"logging/loglevel":                               off("loglevel", "OFF", noLog),
		"logging/dataTrace":                              off("dataTrace", "false", noLog),
		"metrics/enabled":                                off("metrics", "false", noMetrics),
		"caching/enabled":                                off("caching", "false", noCache),
		"caching/dataEncrypted":                          off("caching", "false", noCache),
		"caching/ttlInSeconds":                           off("caching", "300", noCache),
		"caching/requireAuthorizationForCacheControl":    off("caching", "true", noCache),
		"caching/unauthorizedCacheControlHeaderStrategy": off("caching", "SUCCEED_WITH_RESPONSE_HEADER", noCache),
	}}
	if p.Op == "remove" {
		return invalid("Cannot remove method setting %s", name)
	}
	p.Path = name
	if err := can.apply([]patch{p}); err != nil {
		return err
	}
	if g.MethodSettings == nil {
		g.MethodSettings = make(map[string]*MethodSetting)
	}
	g.MethodSettings[key] = m
	return nil
}

func (s *service) deleteStage(ctx context.Context, in *stageInput) (awsapi.None, error) {
	return awsapi.None{}, s.change(ctx, in.RestApiId, func(e *document.Edit) error {
		if !e.Has(docStage + in.StageName) {
			return missing("stage")
		}
		e.Delete(docStage + in.StageName)
		return nil
	})
}
