package s3

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi/s3/notification"
)

// Notify is how events of the object store come to functions. All fields are required.
type Notify struct {
	Target notification.Target
	Store  *notification.Store
	// Check says why a bucket may not have a function run, by its ARN; "": it may.
	Check func(ctx context.Context, bucket, function string) (refused string, err error)
}

// changeTime bounds a change of a bucket's notifications, which goes on when its client is gone.
const changeTime = 30 * time.Second

// maxRounds is how often a change is brought to the store again because others made changes.
const maxRounds = 8

// isNotification reports whether a call reads or writes what a bucket notifies of.
func (c *call) isNotification() bool {
	_, is := c.query["notification"]
	return is && c.bucket != "" && c.key == "" && (c.Method == http.MethodGet || c.Method == http.MethodPut)
}

// notification answers a call about the notifications of a bucket, or returns the body of one
// that is the store's.
func (p *Passage) notification(c *call) (answered bool, body []byte, err error) {
	for name := range c.query {
		if name != "notification" && slices.Contains(subresources, name) {
			return false, nil, badRequest("Conflicting query string parameters: notification, " + name)
		}
	}
	if owner := c.Header.Get("X-Amz-Expected-Bucket-Owner"); owner != "" && owner != p.Account.ID {
		return false, nil, refuse(http.StatusForbidden, "AccessDenied", "The bucket is not owned by the expected bucket owner.")
	}
	if c.Method == http.MethodPut {
		if body, err = c.document(); err != nil {
			return false, nil, err
		}
	}
	switch to := p.to.Notify; {
	case to == nil && notification.Concerns(body):
		return false, nil, refuse(http.StatusNotImplemented, "NotImplemented", noNotify)
	case to == nil:
		return false, body, nil
	case c.Method == http.MethodGet:
		if err := p.hasBucket(c.Context(), c.bucket); err != nil {
			return false, nil, err
		}
		now, err := to.Store.Of(c.Context(), c.bucket)
		if err != nil {
			return false, nil, err
		}
		c.w.Header().Set("Content-Type", "application/xml")
		_, _ = c.w.Write(notification.Encode(now.Set)) // the client may be gone
		return true, nil, nil
	}
	set, err := notification.Parse(body)
	if err == nil && !strings.EqualFold(c.Header.Get("X-Amz-Skip-Destination-Validation"), "true") {
		err = p.checkDestinations(c, set.Configurations)
	}
	if err == nil {
		err = p.notify(c.Context(), c.bucket, set)
	}
	if err != nil {
		return false, nil, err
	}
	return true, nil, c.empty(http.StatusOK)
}

// noNotify says how functions get the events of buckets.
const noNotify = "A CloudFunctionConfiguration or an EventBridgeConfiguration of s3 is not supported here: the option s3 of this server has no notify, which names where the object store sends its events."

// checkDestinations asks whether the functions are there and their policies allow the bucket.
func (p *Passage) checkDestinations(c *call, all []notification.Configuration) error {
	var wrong [][2]string
	for n := range all {
		arn := all[n].Function
		refused, err := p.to.Notify.Check(c.Context(), c.bucket, arn)
		if err != nil {
			return err
		}
		if refused != "" {
			wrong = append(wrong, [2]string{arn + ", null", "Not authorized to invoke function [" + arn + "]"})
		}
	}
	if wrong == nil {
		return nil
	}
	return &Error{http.StatusBadRequest, "InvalidArgument", "Unable to validate the following destination configurations", wrong}
}

// notify keeps the configurations of a bucket and has the store send what they need. Of a change
// that the store does not take nothing is left.
func (p *Passage) notify(ctx context.Context, bucket string, set notification.Set) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTime)
	defer cancel()
	if err := p.hasBucket(ctx, bucket); err != nil {
		return err
	}
	store := p.to.Notify.Store
	before, version, err := store.Put(ctx, bucket, set)
	if err != nil {
		return err
	}
	if err := p.bring(ctx, bucket); err != nil {
		return errors.Join(err, store.Restore(ctx, bucket, version, before))
	}
	return nil
}

// bring has the store send the events of a bucket that its configurations need. Nodes may bring
// changes at once: who finds another change afterwards brings that one, so the last is what stays.
func (p *Passage) bring(ctx context.Context, bucket string) error {
	to := p.to.Notify
	if to.Target == notification.All {
		return nil
	}
	for range maxRounds {
		now, err := to.Store.Of(ctx, bucket)
		if err != nil {
			return err
		}
		has, err := p.ask(ctx, http.MethodGet, bucket, "notification=", nil)
		if err != nil {
			return err
		}
		body, err := to.Target.Merge(has, now.Set)
		if err != nil {
			return err
		}
		if _, err := p.ask(ctx, http.MethodPut, bucket, "notification=", body); err != nil {
			return err
		}
		if after, err := to.Store.Of(ctx, bucket); err != nil || after.Version == now.Version {
			return err
		}
	}
	return errBusy
}

// hasBucket fails if the store has no such bucket, or does not show it.
func (p *Passage) hasBucket(ctx context.Context, bucket string) error {
	_, err := p.ask(ctx, http.MethodGet, bucket, "location=", nil)
	return err
}

// forget removes the notifications of a bucket that the store has removed.
func (p *Passage) forget(c *call) {
	if p.to.Notify == nil || c.bucket == "" || c.key != "" || slices.ContainsFunc(subresources, func(name string) bool { return c.query[name] != nil }) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), changeTime)
	defer cancel()
	if _, _, err := p.to.Notify.Store.Put(ctx, c.bucket, notification.Set{}); err != nil {
		p.Log.Error("the notifications of a bucket that is gone could not be removed", zap.String("bucket", c.bucket), zap.Error(err))
	}
}

// ask sends a request of this server to the store and reads the answer. What the store refuses is
// an *Error.
func (p *Passage) ask(ctx context.Context, method, bucket, query string, body []byte) ([]byte, error) {
	at := *p.to.Endpoint
	at.Path, at.RawPath, at.RawQuery = strings.TrimSuffix(at.Path, "/")+"/"+bucket, "", query
	request, err := http.NewRequestWithContext(ctx, method, at.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	hash := hexOf(algorithms["sha256"](), body)
	request.Header.Set("X-Amz-Content-Sha256", hash)
	if body != nil {
		request.Header.Set("Content-Type", "application/xml")
	}
	response, err := p.do(request, hash)
	if err != nil {
		var address *url.Error
		if errors.As(err, &address) {
			err = address.Err
		}
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxDocument))
	if err != nil || response.StatusCode < http.StatusMultipleChoices {
		return answer, err
	}
	var refused struct{ Code, Message string }
	if xml.Unmarshal(answer, &refused) != nil || refused.Code == "" {
		refused.Code, refused.Message = "ServiceUnavailable", http.StatusText(response.StatusCode)
	}
	return nil, refuse(response.StatusCode, refused.Code, "The object store answers: "+refused.Message)
}
