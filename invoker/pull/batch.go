package pull

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/hearthfn/hearth/invoker/pattern"
	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/trace"
)

// A record is one of a source, as a function gets it.
type record struct {
	id      string          // as batchItemFailures names it
	event   json.RawMessage // one element of Records
	filters json.RawMessage // what filter patterns see: event with its body decoded
	data    []string        // fields of filters that are what was put in, JSON or not
	at      time.Time       // when it came into the source
	key     string          // records of one key keep their order
	trace   string          // header that it came with, "" for none
	shard   string          // which one it is of, where a batch has records of several
}

// maxEvent is how much of an event a batch may make, in bytes.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
const maxEvent = 6 << 20

// fits is how many of the records make one event: as many as one may hold, at least one
// and at most limit.
func fits(records []record, limit int) int {
	size := len(`{"Records":[]}`)
	for n := range records {
		if n == 0 || records[n].shard != records[n-1].shard {
			size += len(records[n].shard) + len(`"":[],`)
		}
		if size += len(records[n].event) + 1; n == limit || n > 0 && size > maxEvent {
			return n
		}
	}
	return len(records)
}

// A batcher invokes a mapping's function with batches.
type batcher struct {
	engine  *Engine
	mapping registry.Mapping
	filters []*pattern.Pattern
	partial bool // ReportBatchItemFailures
	event   func(records []record) []byte
}

func newBatcher(e *Engine, m registry.Mapping) (*batcher, error) {
	b := &batcher{engine: e, mapping: m, event: recordsEvent, partial: slices.Contains(m.FunctionResponseTypes, "ReportBatchItemFailures")}
	for _, text := range m.Filters {
		p, err := pattern.Parse([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("filter: %w", err)
		}
		b.filters = append(b.filters, p)
	}
	return b, nil
}

// size is how many records a batch has at most.
func (b *batcher) size() int {
	if b.mapping.BatchSize == nil {
		return 10
	}
	return *b.mapping.BatchSize
}

// window is how long a batch is gathered.
func (b *batcher) window() time.Duration {
	if b.mapping.MaximumBatchingWindowInSeconds == nil {
		return 0
	}
	return time.Duration(*b.mapping.MaximumBatchingWindowInSeconds) * time.Second
}

// wants reports whether a filter takes a record; without filters all are taken.
func (b *batcher) wants(r *record) bool {
	if len(b.filters) == 0 {
		return true
	}
	value, err := pattern.Decode(r.filters)
	if err != nil {
		return false
	}
	if object, ok := value.(map[string]any); ok {
		for _, name := range r.data {
			if value, there := object[name]; there {
				object[name] = pattern.Data(value)
			}
		}
	}
	return slices.ContainsFunc(b.filters, func(p *pattern.Pattern) bool { return p.MatchValue(value) })
}

// arn is the function's, as the mapping names it.
func (b *batcher) arn() string {
	qualifier := b.mapping.Qualifier
	if qualifier == function.Latest {
		qualifier = "" // AWS has it unqualified
	}
	return b.engine.Account.ARN(b.mapping.FunctionName, qualifier)
}

// role is the ARN of the function's role, or of the account if the function has none.
func (b *batcher) role(ctx context.Context) string {
	if v, err := b.engine.Registry().Version(ctx, b.mapping.FunctionName, function.Latest); err == nil && v.Role != "" {
		return v.Role
	}
	return "arn:aws:iam::" + b.engine.Account.ID + ":root"
}

// A functionError is what a function answered instead of a result.
type functionError struct{ payload []byte }

func (e *functionError) Error() string { return string(e.payload[:min(len(e.payload), 1<<10)]) }

// errAnswer says that the function answered with batchItemFailures that mean nothing;
// the whole batch has failed then.
var errAnswer = errors.New("the function's batchItemFailures are malformed, or name items that are not of the batch")

// invoke runs the function with a batch, as do does.
func (b *batcher) invoke(ctx context.Context, records []record) (failed map[string]bool, call *environment.Call, err error) {
	return b.do(ctx, b.event(records), records)
}

// do runs the function with an event that has the records. failed are the IDs that it says have failed. An
// error of another type than *functionError and errAnswer says that it did not run.
func (b *batcher) do(ctx context.Context, event []byte, records []record) (failed map[string]bool, call *environment.Call, err error) {
	m := &b.mapping
	call = environment.NewCall()
	call.Function, call.Qualifier, call.RequestID = m.FunctionName, m.Qualifier, function.NewRequestID()
	headers := make([]string, len(records))
	for n := range records {
		headers[n] = records[n].trace
	}
	ctx, work := b.engine.Spans.Source().Begin(ctx, "batch", m.FunctionName, "datasource", m.EventSourceArn, headers)
	defer func() {
		failure := ""
		if err != nil {
			failure = "the batch failed"
		}
		work.End(failure)
	}()
	call.TraceID, call.Runs = b.traceOf(records)
	if next := work.Header(call.TraceID); next != call.TraceID {
		call.TraceID = next
	}
	if err := call.Begin(b.arn()); err != nil {
		return nil, call, err
	}
	call.Frame = append(call.Frame, event...)
	err = b.engine.Runner.Invoke(ctx, call)
	var initFailed *environment.InitError
	switch {
	case errors.As(err, &initFailed):
		return nil, call, &functionError{initFailed.Payload}
	case err != nil:
		return nil, call, err
	case call.Outcome != environment.OutcomeResult:
		return nil, call, &functionError{call.Payload}
	case !b.partial:
		return nil, call, nil
	}
	failed, err = itemFailures(call.Payload, records)
	return failed, call, err
}

// traceOf is the trace header of a batch. It is the header of the record in whose chain of
// requests the function has run most.
func (b *batcher) traceOf(records []record) (header string, runs int) {
	key := b.engine.Account.Key(b.mapping.FunctionName)
	for n := range records {
		if records[n].trace == "" {
			continue
		}
		if next, before := trace.Next(records[n].trace, key); header == "" || before > runs {
			header, runs = next, before
		}
	}
	if header == "" {
		return trace.Next("", key)
	}
	return header, runs
}

// recordsEvent is {"Records":[...]}, what most sources' functions get.
func recordsEvent(records []record) []byte {
	event := []byte(`{"Records":[`)
	for n, r := range records {
		if n > 0 {
			event = append(event, ',')
		}
		event = append(event, r.event...)
	}
	return append(event, `]}`...)
}

// itemFailures reads {"batchItemFailures":[{"itemIdentifier":ID}]}; of Kafka, the ID is
// {"partition":"TOPIC-PARTITION","offset":OFFSET}.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
func itemFailures(payload []byte, records []record) (map[string]bool, error) {
	var answer struct {
		BatchItemFailures []struct {
			ItemIdentifier json.RawMessage `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	text := bytes.TrimSpace(payload)
	switch string(text) {
	case "", "null", `""`, "[]":
		return nil, nil
	}
	if json.Unmarshal(text, &answer) != nil {
		return nil, errAnswer
	}
	failed := make(map[string]bool)
	for _, f := range answer.BatchItemFailures {
		id := identifierOf(f.ItemIdentifier)
		if !slices.ContainsFunc(records, func(r record) bool { return r.id == id }) {
			return nil, errAnswer
		}
		failed[id] = true
	}
	return failed, nil
}

// identifierOf is a record's ID as a function names it, "" if it names none.
func identifierOf(text json.RawMessage) (id string) {
	if json.Unmarshal(text, &id) == nil {
		return id
	}
	var of struct {
		Partition string `json:"partition"`
		Offset    *int64 `json:"offset"`
	}
	if json.Unmarshal(text, &of) != nil || of.Offset == nil {
		return ""
	}
	return of.Partition + "-" + strconv.FormatInt(*of.Offset, 10)
}

// itemsFailed says that the function named some items of the batch as failed.
type itemsFailed int

func (n itemsFailed) Error() string {
	return fmt.Sprintf("the function reports %d items as failed", int(n))
}

// isFunctions reports whether an error is the function's own, so that the batch counts as
// tried.
func isFunctions(err error) bool {
	return errors.As(err, new(*functionError)) || errors.As(err, new(itemsFailed)) || errors.Is(err, errAnswer) || errors.As(err, new(*warmpool.LoopError))
}
