package engine

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi/s3/notification"
	"github.com/hearthfn/hearth/invoker/bus"
	"github.com/hearthfn/hearth/invoker/push"
)

// notifier is who S3 is in policies of functions.
const notifier = "s3.amazonaws.com"

func bucketARN(bucket string) string { return "arn:aws:s3:::" + bucket }

// Notifies reports whether clients may have functions run for events of buckets.
func (s *Setup) Notifies() bool { return s.Services.S3 != nil && s.Services.S3.Notify != "" }

// mayNotify says why a bucket may not have a function run; "": it may.
func (s *Setup) mayNotify(ctx context.Context, bucket, arn string) (refused string, err error) {
	_, _, no, err := s.permit(ctx, &bus.Dispatch{To: arn, Service: notifier, Source: bucketARN(bucket)})
	if no != nil {
		refused = no.reason
	}
	return refused, err
}

// Bridge sends an event of a bucket to EventBridge's default bus. A second delivery within onceFor is
// recognised by once; "": it is not.
func (s *Setup) Bridge(ctx context.Context, e *push.Event, once string, onceFor time.Duration) error {
	event, err := notification.Bridge(e.Payload, s.Account)
	if err != nil {
		return fmt.Errorf("%w: %w", push.ErrMalformed, err)
	}
	if event == nil {
		return nil
	}
	same := make(map[string]int) // targets of a rule with one ARN
	return s.engine.rules.Publish(ctx, s.Account, s.engine.dispatch, event, func(d *bus.Dispatch) {
		if once != "" {
			to := d.Source + " " + d.To
			same[to]++
			sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", once, to, same[to]))
			d.Once, d.OnceFor = base64.RawStdEncoding.EncodeToString(sum[:]), onceFor
		}
	})
}

// A Notified is a function that gets an event of a bucket, and by which configuration.
type Notified struct {
	push.Target
	Configuration string
}

// Notified are the functions that the notification configuration of a bucket names for an event.
// Those whose policies do not allow it any more are told in the log, as S3 drops such events. bridge
// says whether EventBridge gets the events of the bucket.
func (s *Setup) Notified(ctx context.Context, e *push.Event) (all []Notified, bridge bool, err error) {
	now, err := s.engine.notifications.Of(ctx, e.Bucket)
	if err != nil {
		return nil, false, err
	}
	for n := range now.Configurations {
		c := &now.Configurations[n]
		if !c.Matches(e.Name, e.Key) {
			continue
		}
		d := &bus.Dispatch{To: c.Function, Service: notifier, Source: bucketARN(e.Bucket)}
		name, qualifier, refused, err := s.permit(ctx, d)
		if err != nil {
			return nil, false, err
		}
		if refused != nil {
			s.refusals.Tell(s.Log, zap.WarnLevel, "an event is dropped: its target does not take it", d.Source+d.To, func() []zap.Field {
				return []zap.Field{zap.String("source", d.Source), zap.String("function", d.To), zap.String("error", refused.reason)}
			})
			continue
		}
		all = append(all, Notified{push.Target{Function: name, Qualifier: qualifier}, c.ID})
	}
	return all, now.EventBridge, nil
}
