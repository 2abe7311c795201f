package pull

import (
	"context"
	"encoding/json"
	"time"

	"github.com/hearthfn/hearth/warmpool/environment"
)

// A window is a tumbling window of a shard, with what the function has added up in it. It
// is kept with the checkpoint.
// https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html
type window struct {
	Start time.Time       `json:"start"`
	End   time.Time       `json:"end"`
	State json.RawMessage `json:"state"`
}

// maxState is how large the state of a window may become, in bytes; one that is larger
// ends its window early.
const maxState = 1 << 20

var noState = json.RawMessage("{}")

// windowAt is the window that a time is in. Windows begin at multiples of their length.
func (r *reader) windowAt(at time.Time) *window {
	length := time.Duration(*r.mapping.TumblingWindowInSeconds) * time.Second
	start := time.Unix(0, at.UnixNano()-at.UnixNano()%int64(length)).UTC()
	return &window{Start: start, End: start.Add(length), State: noState}
}

// processWindows runs the function with the records of each window, and at each window's end.
func (r *reader) processWindows(ctx context.Context, records []record) error {
	for len(records) > 0 {
		open := r.checkpoint.Window
		if open != nil && !records[0].at.Before(open.End) {
			if err := r.closeWindow(ctx); err != nil {
				return err
			}
			open = nil
		}
		if open == nil {
			open = r.windowAt(records[0].at)
			r.checkpoint.Window = open
		}
		n := 1
		for n < len(records) && records[n].at.Before(open.End) { // what is late counts too
			n++
		}
		if err := r.process(ctx, r, records[:n]); err != nil {
			return err
		}
		if err := r.markDone(ctx, records[:n]); err != nil {
			return err
		}
		records = records[n:]
	}
	return nil
}

// closeWindow runs the function for the last time in a window.
func (r *reader) closeWindow(ctx context.Context) error {
	for attempts := 0; ; {
		_, _, err := r.callIn(context.WithoutCancel(ctx), nil, true)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if isFunctions(err) {
			attempts++
		}
		r.failed(nil, attempts, err)
		if most := *r.mapping.MaximumRetryAttempts; most >= 0 && attempts > most {
			break // the state is given up
		}
		sleep(ctx, retryPause(attempts))
	}
	r.checkpoint.Window = nil
	return r.save(ctx)
}

// call implements ordered.
func (r *reader) call(ctx context.Context, records []record) (map[string]bool, *environment.Call, error) {
	return r.callIn(ctx, records, false)
}

// callIn runs the function with records, and in a window with its state.
func (r *reader) callIn(ctx context.Context, records []record, final bool) (map[string]bool, *environment.Call, error) {
	w := r.checkpoint.Window
	if w == nil {
		return r.invoke(ctx, records)
	}
	const layout = "2006-01-02T15:04:05Z"
	early := len(w.State) > maxState
	more, err := json.Marshal(map[string]any{
		"window": map[string]string{"start": w.Start.Format(layout), "end": w.End.Format(layout)}, "state": w.State, "shardId": r.id,
		"eventSourceARN": r.mapping.EventSourceArn, "isFinalInvokeForWindow": final || early, "isWindowTerminatedEarly": early,
	})
	if err != nil {
		return nil, nil, err
	}
	event := r.event(records)
	event = append(append(event[:len(event)-1], ','), more[1:]...)
	failed, call, err := r.do(ctx, event, records)
	if err != nil {
		return failed, call, err
	}
	var answer struct {
		State json.RawMessage `json:"state"`
	}
	w.State = noState
	if json.Unmarshal(call.Payload, &answer) == nil && len(answer.State) > 0 && !early {
		w.State = answer.State
	}
	return failed, call, nil
}
