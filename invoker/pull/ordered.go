package pull

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/backoff"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function"
)

// An ordered source has shards whose records are done one after the other: a batch is
// processed before the next of its shards.
type ordered interface {
	// call runs the function with records, as batcher.invoke does.
	call(ctx context.Context, records []record) (failed map[string]bool, call *environment.Call, err error)
	// markDone notes that the records, and all before them in their shards, are done.
	markDone(ctx context.Context, done []record) error
	// describe returns what an on-failure destination learns of records, under which name, and
	// the shard of the records.
	describe(records []record) (name, place string, info any)
}

// process runs the function until it is done with all records, or gives them up.
// It returns early when ctx ends; an invocation that runs then runs to its end.
func (b *batcher) process(ctx context.Context, source ordered, records []record) error {
	attempts := 0
	header := "" // of the last call: records that are given up carry it
	for len(records) > 0 {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if old, young := b.tooOld(records); len(old) > 0 {
			if err := b.giveUp(ctx, source, old, "RecordAgeExceeded", max(attempts, 1), nil, header); err != nil {
				return err
			}
			records, attempts = young, 0
			continue
		}
		age := time.Since(records[len(records)-1].at)
		b.engine.metrics.observeAge(b.mapping.FunctionName, b.mapping.EventSourceArn, age)
		b.engine.lags.note(b.mapping.UUID, age)
		failed, call, err := source.call(context.WithoutCancel(ctx), records)
		if call != nil {
			header = call.TraceID
		}
		b.engine.metrics.records.WithLabelValues(b.mapping.FunctionName).Add(float64(len(records)))
		if err == nil && len(failed) == 0 {
			b.engine.result(b.mapping.UUID, "OK")
			return nil
		}
		if err == nil {
			err = itemsFailed(len(failed))
		}
		b.failed(records, attempts+1, err)
		if !isFunctions(err) {
			sleep(ctx, minPause)
			continue
		}
		if len(failed) > 0 {
			// Those of a shard before the first that failed are done. The rest is a batch of
			// its own, with all of its attempts, as recorded from AWS.
			done, rest := split(records, func(r *record) bool { return !failed[r.id] })
			if len(done) > 0 {
				if err := source.markDone(ctx, done); err != nil {
					return err
				}
				records, attempts = rest, 0
				sleep(ctx, retryPause(1))
				continue
			}
		}
		if bisects := b.mapping.BisectBatchOnFunctionError; bisects != nil && *bisects && len(records) > 1 {
			// This does not count as a retry.
			half := len(records) / 2
			if err := b.process(ctx, source, records[:half]); err != nil {
				return err
			}
			if err := source.markDone(ctx, records[:half]); err != nil {
				return err
			}
			records, attempts = records[half:], 0
			continue
		}
		attempts++
		if most := b.mapping.MaximumRetryAttempts; most != nil && *most >= 0 && attempts > *most {
			response := &responseContext{StatusCode: 200, ExecutedVersion: call.Version}
			if errors.As(err, new(*functionError)) {
				unhandled := "Unhandled"
				response.FunctionError = &unhandled
			}
			return b.giveUp(ctx, source, records, "RetryAttemptsExhausted", attempts, response, header)
		}
		sleep(ctx, retryPause(attempts))
	}
	return nil
}

// split takes off those at the front of each shard of which front says so.
func split(records []record, front func(*record) bool) (taken, rest []record) {
	ended := make(map[string]bool)
	for n := range records {
		r := &records[n]
		if !ended[r.shard] && front(r) {
			taken = append(taken, *r)
		} else {
			ended[r.shard] = true
			rest = append(rest, *r)
		}
	}
	return taken, rest
}

// failed says everywhere that a batch was not done. attempt is 0 where the source counts.
func (b *batcher) failed(records []record, attempt int, err error) {
	b.engine.metrics.failures.WithLabelValues(b.mapping.FunctionName).Inc()
	b.engine.result(b.mapping.UUID, "PROBLEM: Function call failed")
	fields := []zap.Field{zap.String("function", b.mapping.FunctionName), zap.String("source", sourceName(&b.mapping)), zap.Int("records", len(records)), zap.Error(err)}
	if len(records) > 0 {
		fields = append(fields, zap.String("first", records[0].id))
	}
	if !isFunctions(err) {
		b.engine.Log.Warn("a batch's function cannot be run now", fields...)
		return
	}
	if attempt > 0 {
		fields = append(fields, zap.Int("attempt", attempt))
	}
	b.engine.Log.Warn("a batch failed", fields...)
}

// retryPause is how long a batch waits after it failed: 200 ms after the first attempt that
// counts, 100 ms while none does.
func retryPause(attempts int) time.Duration {
	return backoff.Backoff{First: 100 * time.Millisecond, Most: maxPause}.After(attempts + 1)
}

// tooOld takes off those at the front of each shard that are older than the mapping
// allows.
func (b *batcher) tooOld(records []record) (old, young []record) {
	most := b.mapping.MaximumRecordAgeInSeconds
	if most == nil || *most < 0 {
		return nil, records
	}
	return split(records, func(r *record) bool { return time.Since(r.at) > time.Duration(*most)*time.Second })
}

type (
	requestContext struct {
		RequestID              string `json:"requestId"`
		FunctionARN            string `json:"functionArn"`
		Condition              string `json:"condition"`
		ApproximateInvokeCount int    `json:"approximateInvokeCount"`
	}
	responseContext struct {
		StatusCode      int     `json:"statusCode"`
		ExecutedVersion string  `json:"executedVersion"`
		FunctionError   *string `json:"functionError"` // null where the function reported items
	}

	// givenUp begins what a destination gets, in AWS's order. What the source tells of the
	// records follows.
	givenUp struct {
		RequestContext  requestContext   `json:"requestContext"`
		ResponseContext *responseContext `json:"responseContext,omitempty"`
		Version         string           `json:"version"`
		Timestamp       string           `json:"timestamp"`
	}
)

// arrival is a time as on-failure destinations get it: without milliseconds if they are 0.
func arrival(at time.Time) string {
	if at = at.UTC().Truncate(time.Millisecond); at.Nanosecond() == 0 {
		return at.Format(time.RFC3339)
	}
	return at.Format("2006-01-02T15:04:05.000Z")
}

// s3ARN begins the ARNs of buckets, which get what the function got, too.
const s3ARN = "arn:aws:s3:::"

// giveUp tells the on-failure destination which records the function did not take.
// header is the trace header of the call that failed, "" where this node made none.
// https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
func (b *batcher) giveUp(ctx context.Context, source ordered, records []record, condition string, attempts int, response *responseContext, header string) error {
	if header == "" {
		header, _ = b.traceOf(records)
	}
	b.engine.metrics.givenUp.WithLabelValues(b.mapping.FunctionName).Add(float64(len(records)))
	b.engine.Log.Warn("records are given up", zap.String("function", b.mapping.FunctionName), zap.String("source", b.mapping.EventSourceArn),
		zap.String("condition", condition), zap.Int("records", len(records)), zap.String("first", records[0].id), zap.String("last", records[len(records)-1].id))
	if b.mapping.OnFailure == "" {
		return nil
	}
	name, place, info := source.describe(records)
	body, err := json.Marshal(givenUp{
		requestContext{function.NewRequestID(), b.arn(), condition, attempts}, response, "1.0", arrival(time.Now()),
	})
	if err != nil {
		return err
	}
	told, err := json.Marshal(info)
	if err != nil {
		return err
	}
	body = append(append(body[:len(body)-1], `,"`+name+`":`...), told...)
	if strings.HasPrefix(b.mapping.OnFailure, s3ARN) {
		body = append(append(body, `,"payload":`...), b.event(records)...)
	}
	body = append(body, '}')
	// The shard waits for its destination, because only the destination learns what is
	// skipped.
	for failures := 1; ; failures++ {
		if err = b.engine.Sender.Send(ctx, b.mapping.OnFailure, &Delivery{body, b.mapping.UUID + "/" + place, header}); err == nil || ctx.Err() != nil {
			return err
		}
		b.engine.Log.Error("the on-failure destination does not take a record: its shard waits", zap.String("source", b.mapping.EventSourceArn), zap.Error(err))
		b.engine.result(b.mapping.UUID, fmt.Sprintf("PROBLEM: on-failure destination: %v", err))
		sleep(ctx, backoff.Backoff{First: minPause, Most: maxPause}.After(failures))
	}
}
