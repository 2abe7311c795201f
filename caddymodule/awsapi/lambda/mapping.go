package lambda

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/invoker/pattern"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

type (
	filter         struct{ Pattern string }
	filterCriteria struct{ Filters []filter }
	scaling        struct{ MaximumConcurrency *int }
)

// mappingFields are what requests and answers about mappings share.
type mappingFields struct {
	registry.MappingSettings
	EventSourceArn    string             `json:",omitempty"`
	StartingPosition  string             `json:",omitempty"`
	FilterCriteria    *filterCriteria    `json:",omitempty"`
	ScalingConfig     *scaling           `json:",omitempty"`
	DestinationConfig *destinationConfig `json:",omitempty"`
	Topics            []string           `json:",omitempty"`
	Queues            []string           `json:",omitempty"`
}

// sourceFields belong to one kind of source alone and are kept as they came.
type sourceFields struct {
	SourceAccessConfigurations          any `json:",omitempty"`
	SelfManagedEventSource              any `json:",omitempty"`
	AmazonManagedKafkaEventSourceConfig any `json:",omitempty"`
	SelfManagedKafkaEventSourceConfig   any `json:",omitempty"`
	DocumentDBEventSourceConfig         any `json:",omitempty"`
	ProvisionedPollerConfig             any `json:",omitempty"`

	// Nothing acts on these, see API.ignore.
	KMSKeyArn, MetricsConfig, LoggingConfig any `json:",omitempty"`
}

type mappingInput struct {
	UUID, FunctionName        string
	Enabled                   *bool
	StartingPositionTimestamp *time.Time
	Tags                      map[string]string
	mappingFields
	sourceFields

	Marker   string
	MaxItems int
}

type mappingOutput struct {
	UUID, EventSourceMappingArn, FunctionArn string
	LastModified                             seconds
	State, StateTransitionReason             string
	LastProcessingResult                     string   `json:",omitempty"`
	StartingPositionTimestamp                *seconds `json:",omitempty"`
	mappingFields
	sourceFields
}

func (a *API) mappingOf(m *registry.Mapping) (*mappingOutput, error) {
	f := reference{name: m.FunctionName}
	if m.Qualifier != function.Latest || m.NamesLatest {
		f.qualifier = m.Qualifier
	}
	out := &mappingOutput{
		UUID: m.UUID, EventSourceMappingArn: "arn:aws:lambda:" + a.Account.Region + ":" + a.Account.ID + ":event-source-mapping:" + m.UUID,
		FunctionArn: a.arn(f), LastModified: newSeconds(m.LastModified), State: m.State,
		StateTransitionReason: m.StateReason, LastProcessingResult: m.LastResult,
		mappingFields: mappingFields{
			MappingSettings: m.MappingSettings, EventSourceArn: m.EventSourceArn, StartingPosition: m.StartingPosition,
			Topics: m.Topics, Queues: m.Queues,
		},
	}
	if m.StartingPositionTimestamp != nil {
		at := newSeconds(*m.StartingPositionTimestamp)
		out.StartingPositionTimestamp = &at
	}
	if len(m.Filters) > 0 {
		out.FilterCriteria = &filterCriteria{}
		for _, text := range m.Filters {
			out.FilterCriteria.Filters = append(out.FilterCriteria.Filters, filter{text})
		}
	}
	if m.MaximumConcurrency != nil {
		out.ScalingConfig = &scaling{m.MaximumConcurrency}
	}
	if m.OnFailure != "" {
		out.DestinationConfig = &destinationConfig{OnFailure: &destination{m.OnFailure}}
	}
	text, err := json.Marshal(m.Source)
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(text, &out.sourceFields)
	if out.SelfManagedEventSource != nil && out.SelfManagedKafkaEventSourceConfig == nil {
		out.SelfManagedKafkaEventSourceConfig = map[string]string{"ConsumerGroupId": m.UUID}
	}
	out.fillIn(service(m.EventSourceArn))
	return out, err
}

// fillIn adds what answers have though it was not asked for, by the kind of source.
func (out *mappingOutput) fillIn(kind string) {
	switch kind {
	case "sqs":
		out.StateTransitionReason = orDefault(out.StateTransitionReason, "USER_INITIATED")
		if out.FunctionResponseTypes == nil {
			out.FunctionResponseTypes = []string{}
		}
		if out.LastProcessingResult == "OK" {
			out.LastProcessingResult = "" // AWS's have none, and here it is for problems
		}
		return
	case "kinesis", "dynamodb":
		out.StateTransitionReason = orDefault(out.StateTransitionReason, "User action")
		if out.FunctionResponseTypes == nil {
			out.FunctionResponseTypes = []string{}
		}
		if out.DestinationConfig == nil {
			out.DestinationConfig = &destinationConfig{OnFailure: &destination{}}
		}
	default:
		out.StateTransitionReason = orDefault(out.StateTransitionReason, "USER_INITIATED")
	}
	out.LastProcessingResult = orDefault(out.LastProcessingResult, "No records processed")
}

const noDestination = "Unsupported DestinationConfig parameter for given event source mapping type."

// apply puts what was given over a mapping.
func (in *mappingInput) apply(m *registry.Mapping) error {
	if err := putOver(&m.MappingSettings, in.MappingSettings); err != nil {
		return err
	}
	if in.ScalingConfig != nil {
		m.MaximumConcurrency = in.ScalingConfig.MaximumConcurrency
	}
	if in.Enabled != nil {
		m.State = stateOf(*in.Enabled)
	}
	if in.FilterCriteria != nil {
		m.Filters = nil
		for _, f := range in.FilterCriteria.Filters {
			if _, err := pattern.Parse([]byte(f.Pattern)); err != nil {
				return invalid("Invalid filter pattern definition.")
			}
			m.Filters = append(m.Filters, f.Pattern)
		}
	}
	if d := in.DestinationConfig; d != nil {
		if d.OnSuccess != nil && d.OnSuccess.Destination != "" {
			return invalid(noDestination)
		}
		m.OnFailure = ""
		if d.OnFailure != nil {
			m.OnFailure = d.OnFailure.Destination
		}
	}
	return in.applySource(m)
}

// applySource sets the fields that only some kinds of source have.
func (in *mappingInput) applySource(m *registry.Mapping) error {
	return putOver(&m.Source, in.sourceFields)
}

// putOver overwrites the fields of there with the fields that given has. The others stay.
func putOver(there, given any) error {
	text, err := json.Marshal(given)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, there)
}

func stateOf(enabled bool) string {
	if enabled {
		return "Enabled"
	}
	return "Disabled"
}

// refuseMapping names a setting that Hearth does not act on, unless the configuration
// ignores it. An empty setting asks for nothing.
func (a *API) refuseMapping(in *mappingInput) error {
	if in.KMSKeyArn == "" {
		in.KMSKeyArn = nil
	}
	for _, setting := range []struct {
		name  string
		value *any
	}{{"kms_key_arn", &in.KMSKeyArn}, {"metrics_config", &in.MetricsConfig}, {"mapping_logging_config", &in.LoggingConfig}} {
		if object, ok := (*setting.value).(map[string]any); ok && len(object) == 0 {
			*setting.value = nil
		}
		if *setting.value == nil {
			continue
		}
		if err := a.ignore(setting.name, in.FunctionName); err != nil {
			return err
		}
	}
	return nil
}

// service is which of AWS's services an ARN is of, "" if it is no ARN.
func service(of string) string {
	a, _ := arn.Parse(of)
	return a.Service
}

// https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
func createEventSourceMapping(a *API, r *request, in *mappingInput) (*mappingOutput, error) {
	if a.Mapping == nil {
		return nil, invalid("Event source mappings are not supported: this server polls no event sources.")
	}
	f, err := a.find(in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	if err := a.refuseMapping(in); err != nil {
		return nil, err
	}
	if in.EventSourceArn == "" && in.SelfManagedEventSource == nil {
		return nil, invalid("Unrecognized event source.")
	}
	if err := in.checkAccess(); err != nil {
		return nil, err
	}
	if d := in.DestinationConfig; d != nil && d.OnSuccess != nil && d.OnSuccess.Destination != "" {
		return nil, invalid(noDestination)
	}
	if _, err := a.version(r, f); err != nil {
		return nil, invalid("Function does not exist")
	}
	isStream := service(in.EventSourceArn) == "kinesis" || service(in.EventSourceArn) == "dynamodb"
	if isStream && in.StartingPosition == "" {
		return nil, invalid("1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.")
	}
	if service(in.EventSourceArn) == "dynamodb" && in.StartingPosition == "AT_TIMESTAMP" {
		return nil, invalid("Unsupported starting position for arn type: " + in.EventSourceArn)
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	m := registry.Mapping{
		FunctionName: f.name, Qualifier: f.orLatest(), NamesLatest: f.qualifier == function.Latest, State: stateOf(true), EventSourceArn: in.EventSourceArn,
		StartingPosition: in.StartingPosition, StartingPositionTimestamp: in.StartingPositionTimestamp,
		Topics: in.Topics, Queues: in.Queues, Tags: in.Tags,
	}
	if err := in.apply(&m); err != nil {
		return nil, err
	}
	if err := a.checkMapping(r, &m); err != nil {
		return nil, err
	}
	if a.Source != nil {
		if err := a.Source(r.Context(), &m); err != nil {
			return nil, invalid(err.Error())
		}
	}
	m.UUID = awsapi.ChosenID(r.Context(), "")
	created, err := a.Registry.CreateMapping(r.Context(), m)
	if err != nil {
		return nil, err
	}
	// As everywhere the answer tells of the change that begins; see configuration.pending.
	if created.State == stateOf(true) {
		created.State = "Creating"
	}
	return a.mappingOf(&created)
}

// checkMapping holds a mapping to what its source can do, and fills in defaults.
func (a *API) checkMapping(r *request, m *registry.Mapping) error {
	if err := a.Mapping(m); err != nil {
		return invalid(err.Error())
	}
	if service(m.EventSourceArn) == "sqs" && m.BatchSize != nil && *m.BatchSize > 10 &&
		(m.MaximumBatchingWindowInSeconds == nil || *m.MaximumBatchingWindowInSeconds == 0) {
		return invalid("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10")
	}
	same, _, err := a.Registry.Mappings(r.Context(), "", 1, func(have *registry.Mapping) bool {
		return have.UUID != m.UUID && have.FunctionName == m.FunctionName && have.Qualifier == m.Qualifier && sameSource(have, m)
	})
	if err != nil || len(same) == 0 {
		return err
	}
	if service(m.EventSourceArn) == "sqs" {
		return exception("ResourceConflictException", "An event source mapping with SQS arn (\" "+m.EventSourceArn+" \") and function (\" "+m.FunctionName+
			" \") already exists. Please update or delete the existing mapping with UUID "+same[0].UUID)
	}
	if brokers := brokersOf(m); len(brokers) > 0 {
		return exception("ResourceConflictException", "An event source mapping with event source (\""+strings.Join(brokers, ",")+"\"), function (\""+a.Account.InvokedARN(m.FunctionName, m.Qualifier)+
			"\"), topics (\""+strings.Join(m.Topics, ",")+"\") already exists. Please update or delete the existing mapping with UUID "+same[0].UUID)
	}
	return exception("ResourceConflictException", "The event source arn (\" "+m.EventSourceArn+" \") and function (\" "+m.FunctionName+
		" \") provided mapping already exists. Please update or delete the existing mapping with UUID "+same[0].UUID)
}

// https://docs.aws.amazon.com/lambda/latest/api/API_GetEventSourceMapping.html
func getEventSourceMapping(a *API, r *request, in *mappingInput) (*mappingOutput, error) {
	m, err := a.Registry.Mapping(r.Context(), in.UUID)
	if err != nil {
		return nil, missing(err, noMapping)
	}
	return a.mappingOf(&m)
}

const noMapping = "The resource you requested does not exist."

// https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html
func updateEventSourceMapping(a *API, r *request, in *mappingInput) (*mappingOutput, error) {
	if a.Mapping == nil {
		return nil, invalid("Event source mappings are not supported: this server polls no event sources.")
	}
	if err := a.refuseMapping(in); err != nil {
		return nil, err
	}
	var f reference
	if in.FunctionName != "" {
		var err error
		if f, err = a.find(in.FunctionName, ""); err != nil {
			return nil, err
		}
		if _, err := a.version(r, f); err != nil {
			return nil, invalid("Function does not exist")
		}
	}
	m, err := a.Registry.UpdateMapping(r.Context(), in.UUID, func(m *registry.Mapping) error {
		if f.name != "" {
			m.FunctionName, m.Qualifier, m.NamesLatest = f.name, f.orLatest(), f.qualifier == function.Latest
		}
		if err := in.apply(m); err != nil {
			return err
		}
		return a.checkMapping(r, m)
	})
	if err != nil {
		return nil, missing(err, noMapping)
	}
	switch {
	case in.Enabled == nil:
		m.State = "Updating"
	case *in.Enabled:
		m.State = "Enabling"
	default:
		m.State = "Disabling"
	}
	return a.mappingOf(&m)
}

// https://docs.aws.amazon.com/lambda/latest/api/API_DeleteEventSourceMapping.html
func deleteEventSourceMapping(a *API, r *request, in *mappingInput) (*mappingOutput, error) {
	m, err := a.Registry.DeleteMapping(r.Context(), in.UUID)
	if err != nil {
		return nil, missing(err, noMapping)
	}
	m.State = "Deleting"
	return a.mappingOf(&m)
}

type mappingsOutput struct {
	EventSourceMappings []*mappingOutput
	NextMarker          string `json:",omitempty"`
}

// https://docs.aws.amazon.com/lambda/latest/api/API_ListEventSourceMappings.html
func listEventSourceMappings(a *API, r *request, in *mappingInput) (*mappingsOutput, error) {
	var f reference
	if in.FunctionName != "" {
		var err error
		if f, err = a.find(in.FunctionName, ""); err != nil {
			return nil, err
		}
	}
	page, next, err := a.Registry.Mappings(r.Context(), in.Marker, min(orDefault(in.MaxItems, 100), 100), func(m *registry.Mapping) bool {
		return (f.name == "" || m.FunctionName == f.name && (f.qualifier == "" || m.Qualifier == f.qualifier)) &&
			(in.EventSourceArn == "" || m.EventSourceArn == in.EventSourceArn)
	})
	if err != nil {
		return nil, err
	}
	out := &mappingsOutput{EventSourceMappings: make([]*mappingOutput, len(page)), NextMarker: next}
	var problems []error
	for i := range page {
		out.EventSourceMappings[i], err = a.mappingOf(&page[i])
		problems = append(problems, err)
	}
	return out, errors.Join(problems...)
}
