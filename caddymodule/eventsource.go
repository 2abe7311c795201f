package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hearthfn/hearth/caddymodule/engine/services"
	"github.com/hearthfn/hearth/invoker/pattern"
	"github.com/hearthfn/hearth/invoker/pull"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// EventSource is a source that is polled for a function. The Lambda API calls it an event
// source mapping. The API shows the event sources of the configuration, and does not change
// them.
type EventSource struct {
	// The source: the ARN of an SQS queue, a Kinesis stream, the stream of a DynamoDB
	// table or an S3 bucket (arn:aws:s3:::BUCKET/PREFIX), or an address:
	// kafka://HOST:PORT[,HOST:PORT], redis://HOST:PORT/DB or rediss://HOST:PORT/DB.
	Source string `json:"source,omitempty"`

	// The function, and its version or alias after a colon. Default: $LATEST.
	Function string `json:"function,omitempty"`

	// The topic of Kafka, or the stream of Redis.
	Topic string `json:"topic,omitempty"`

	// The consumer group of Kafka or Redis. Default: a name made of source and function.
	Group string `json:"group,omitempty"`

	// Do not poll.
	Disabled bool `json:"disabled,omitempty"`

	// How many records a batch has at most. Default: 10 for queues and buckets, 100 for other
	// sources.
	BatchSize *int `json:"batch_size,omitempty"`

	// How long a batch is gathered. Default: 0.
	BatchWindow caddy.Duration `json:"batch_window,omitempty"`

	// How many batches of a shard run at once. Default: 1.
	Parallelization *int `json:"parallelization,omitempty"`

	// How many batches of a queue run at once. Default: 5.
	Concurrency *int `json:"concurrency,omitempty"`

	// How often a batch is tried again. Default: until the source no longer has its records.
	Retries *int `json:"retries,omitempty"`

	// How old a record may become. Default: any age.
	MaxAge caddy.Duration `json:"max_age,omitempty"`

	// Tumbling windows, in which the function aggregates records with a state. Default: none.
	TumblingWindow caddy.Duration `json:"tumbling_window,omitempty"`

	// Split a batch that failed into halves and try each.
	Bisect bool `json:"bisect,omitempty"`

	// The function reports the failed records as batchItemFailures.
	ReportFailures bool `json:"report_failures,omitempty"`

	// Patterns. The function gets records that match any of them. Default: all records.
	Filters []string `json:"filters,omitempty"`

	// The destination for records that are given up, as for asynchronous invocations.
	OnFailure string `json:"on_failure,omitempty"`

	// The position where reading begins: trim_horizon, latest, or a time (RFC 3339).
	// Default: trim_horizon; for S3 latest, so that objects of the first listing make no
	// events.
	Start string `json:"start,omitempty"`

	// How often a bucket is listed, at least 1s. Default: 1m.
	Every caddy.Duration `json:"every,omitempty"`

	// The address of the service, its region and an access key. Default: those of the option
	// of the service.
	Service

	// SASL of Kafka: plain, scram-sha-256 or scram-sha-512.
	SASL     string `json:"sasl,omitempty"`
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`

	// TLS to Kafka, with the system's authorities or those of a file, and with a
	// certificate and key.
	TLS  bool   `json:"tls,omitempty"`
	CA   string `json:"ca,omitempty"`
	Cert string `json:"cert,omitempty"`
	Key  string `json:"key,omitempty"`
}

// mapping makes the event source mapping of an EventSource.
func (e *EventSource) mapping(account function.Account) (registry.Mapping, error) {
	repl := caddy.NewReplacer()
	var m registry.Mapping
	source, username, password, err := withoutUser(repl.ReplaceAll(e.Source, ""))
	if err != nil {
		return m, err
	}
	name, qualifier, err := account.Parse(repl.ReplaceAll(e.Function, ""))
	if err != nil {
		return m, err
	}
	if qualifier == "" {
		qualifier = function.Latest
	}
	service, err := e.Service.resolve(repl)
	if err != nil {
		return m, err
	}
	if service.Notify != "" {
		return m, errors.New("notify is no option of an event source: it is one of the option s3 of hearth")
	}
	no := false
	m = registry.Mapping{
		FunctionName: name, Qualifier: qualifier, State: "Enabled", EventSourceArn: source,
		MappingSettings: registry.MappingSettings{
			BatchSize: e.BatchSize, ParallelizationFactor: e.Parallelization, MaximumRetryAttempts: e.Retries,
			MaximumBatchingWindowInSeconds: seconds(e.BatchWindow), MaximumRecordAgeInSeconds: seconds(e.MaxAge), TumblingWindowInSeconds: seconds(e.TumblingWindow),
			BisectBatchOnFunctionError: &no,
		},
		MaximumConcurrency: e.Concurrency, OnFailure: repl.ReplaceAll(e.OnFailure, ""),
		Connection: &registry.Connection{
			Endpoint: service.Endpoint(), Region: repl.ReplaceAll(e.Region, ""), AccessKeyID: service.Credentials.AccessKeyID, SecretAccessKey: service.Credentials.SecretAccessKey,
			SASL: strings.ToUpper(e.SASL), Username: cmp.Or(repl.ReplaceAll(e.Username, ""), username), Password: cmp.Or(repl.ReplaceAll(e.Password, ""), password),
			TLS: e.TLS || e.CA != "" || e.Cert != "", CAFile: repl.ReplaceAll(e.CA, ""), CertFile: repl.ReplaceAll(e.Cert, ""), KeyFile: repl.ReplaceAll(e.Key, ""),
			Group: repl.ReplaceAll(e.Group, ""), Every: time.Duration(e.Every),
		},
	}
	if e.Disabled {
		m.State = "Disabled"
	}
	if e.Bisect {
		m.BisectBatchOnFunctionError = &e.Bisect
	}
	if e.ReportFailures {
		m.FunctionResponseTypes = []string{"ReportBatchItemFailures"}
	}
	if topic := repl.ReplaceAll(e.Topic, ""); topic != "" {
		m.Topics = []string{topic}
	}
	for _, text := range e.Filters {
		if _, err := pattern.Parse([]byte(text)); err != nil {
			return m, fmt.Errorf("filter %s: %w", text, err)
		}
		m.Filters = append(m.Filters, text)
	}
	if m.OnFailure != "" {
		if err := services.CheckDestination(m.OnFailure); err != nil {
			return m, err
		}
	}
	switch strings.ToLower(e.Start) {
	case "":
	case "trim_horizon", "latest":
		m.StartingPosition = strings.ToUpper(e.Start)
	default:
		at, err := time.Parse(time.RFC3339, e.Start)
		if err != nil {
			return m, fmt.Errorf("start %q is neither trim_horizon, latest nor a time such as 2026-01-02T15:04:05Z", e.Start)
		}
		m.StartingPosition, m.StartingPositionTimestamp = "AT_TIMESTAMP", &at
	}
	return m, pull.Check(&m)
}

// withoutUser removes the secrets from an address.
func withoutUser(source string) (address, username, password string, err error) {
	if !strings.Contains(source, "://") {
		return source, "", "", nil
	}
	// A list of hosts, as Kafka has it, is not the host of a URL.
	first, others, several := strings.Cut(source, ",")
	u, err := url.Parse(first)
	if err != nil {
		return "", "", "", errors.New("the source is neither an ARN nor a URL") // without the source, which may have a secret
	}
	if u.User != nil {
		username = u.User.Username()
		password, _ = u.User.Password()
		u.User = nil
	}
	if address = u.String(); several {
		address += "," + others
	}
	return address, username, password, nil
}

// seconds is nil for the default.
func seconds(d caddy.Duration) *int {
	if d == 0 {
		return nil
	}
	n := int(time.Duration(d) / time.Second)
	return &n
}

// mappings returns the event source mappings of the configuration.
func (a *App) mappings() ([]registry.Mapping, error) {
	seen := make(map[string]bool)
	all := make([]registry.Mapping, len(a.EventSources))
	for n := range a.EventSources {
		m, err := a.EventSources[n].mapping(a.account())
		if err != nil {
			return nil, fmt.Errorf("event source %d, of function %s: %w", n+1, a.EventSources[n].Function, err)
		}
		key := fmt.Sprint(m.EventSourceArn, m.Topics, m.FunctionName, m.Qualifier)
		if seen[key] {
			return nil, fmt.Errorf("event source %s: it is polled for function %s twice", m.EventSourceArn, m.FunctionName)
		}
		seen[key], all[n] = true, m
	}
	return all, nil
}
