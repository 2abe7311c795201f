package engine

import (
	"github.com/hearthfn/hearth/caddymodule/awsapi/cloudwatch"
	"github.com/hearthfn/hearth/warmpool/timeseries"
)

// A sampleKind is a metric that a gauge has a series of.
type sampleKind struct{ namespace, name, unit string }

// Kinds of series of a function, and of all.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
const (
	ofDuration = iota
	ofErrors
	ofThrottles
	ofLoops
	ofConcurrent
	ofUnreserved // of all functions alone
	ofColdStarts
	ofInit
	ofMemory
	ofReceived
	ofEventAge
	ofDropped
	ofIteratorAge
	ofAtOnce
	ofProvisioned
	ofSpilled
	ofUtilization
	lastKind
)

var kinds = [lastKind]sampleKind{
	ofDuration:    {cloudwatch.Lambda, "Duration", "Milliseconds"},
	ofErrors:      {cloudwatch.Lambda, "Errors", "Count"},
	ofThrottles:   {cloudwatch.Lambda, "Throttles", "Count"},
	ofLoops:       {cloudwatch.Lambda, "RecursiveInvocationsDropped", "Count"},
	ofConcurrent:  {cloudwatch.Lambda, "ConcurrentExecutions", "Count"},
	ofUnreserved:  {cloudwatch.Lambda, "UnreservedConcurrentExecutions", "Count"},
	ofColdStarts:  {cloudwatch.Hearth, "ColdStarts", "Count"},
	ofInit:        {cloudwatch.Hearth, "InitDuration", "Milliseconds"},
	ofMemory:      {cloudwatch.Hearth, "MaxMemoryUsed", "Megabytes"},
	ofReceived:    {cloudwatch.Lambda, "AsyncEventsReceived", "Count"},
	ofEventAge:    {cloudwatch.Lambda, "AsyncEventAge", "Milliseconds"},
	ofDropped:     {cloudwatch.Lambda, "AsyncEventsDropped", "Count"},
	ofIteratorAge: {cloudwatch.Lambda, "IteratorAge", "Milliseconds"},
	ofAtOnce:      {cloudwatch.Lambda, "ProvisionedConcurrentExecutions", "Count"},
	ofProvisioned: {cloudwatch.Lambda, "ProvisionedConcurrencyInvocations", "Count"},
	ofSpilled:     {cloudwatch.Lambda, "ProvisionedConcurrencySpilloverInvocations", "Count"},
	ofUtilization: {cloudwatch.Lambda, "ProvisionedConcurrencyUtilization", "Count"},
}

// Kinds of series of an API, a stage or a route.
const (
	ofLatency = iota
	ofIntegration
	ofClientErrors
	ofServerErrors
	lastAPIKind
)

// restKinds are those of REST APIs.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
var restKinds = [lastAPIKind]sampleKind{
	ofLatency:      {cloudwatch.APIGateway, "Latency", "Milliseconds"},
	ofIntegration:  {cloudwatch.APIGateway, "IntegrationLatency", "Milliseconds"},
	ofClientErrors: {cloudwatch.APIGateway, "4XXError", "Count"},
	ofServerErrors: {cloudwatch.APIGateway, "5XXError", "Count"},
}

// httpKinds are those of HTTP APIs.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
var httpKinds = [lastAPIKind]sampleKind{
	ofLatency:      restKinds[ofLatency],
	ofIntegration:  restKinds[ofIntegration],
	ofClientErrors: {cloudwatch.APIGateway, "4xx", "Count"},
	ofServerErrors: {cloudwatch.APIGateway, "5xx", "Count"},
}

// Kinds of series of the node.
const (
	ofWaitingInvocations = iota
	ofEventsWaiting
	ofEventsDead
	ofEnvironments
	ofStems
	ofMemoryBytes
	lastNodeKind
)

var nodeKinds = [lastNodeKind]sampleKind{
	ofWaitingInvocations: {cloudwatch.Hearth, "WaitingInvocations", "Count"},
	ofEventsWaiting:      {cloudwatch.Hearth, "EventsWaiting", "Count"},
	ofEventsDead:         {cloudwatch.Hearth, "EventsDead", "Count"},
	ofEnvironments:       {cloudwatch.Hearth, "Environments", "Count"},
	ofStems:              {cloudwatch.Hearth, "Stems", "Count"},
	ofMemoryBytes:        {cloudwatch.Hearth, "MemoryBytes", "Bytes"},
}

// A gauge has the series of a function, a version or an alias of it, or all functions; or of an
// API, a stage or a route; or of the node.
type gauge struct {
	kinds      []sampleKind
	dimensions []cloudwatch.Dimension
	series     []*timeseries.Series // of each kind; made when there is something to write
	listed     bool
	qualified  bool // some calls have named a version or an alias

	concurrent, atOnce, kept int // in this second
}

// newGauge makes a gauge with dimensions: names and values.
func newGauge(kinds []sampleKind, dimensions ...string) *gauge {
	g := &gauge{kinds: kinds, series: make([]*timeseries.Series, len(kinds))}
	for n := 0; n < len(dimensions); n += 2 {
		g.dimensions = append(g.dimensions, cloudwatch.Dimension{Name: dimensions[n], Value: dimensions[n+1]})
	}
	return g
}
