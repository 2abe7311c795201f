package pull

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/state"
)

// A Bucket lists objects of S3, or of a store that has its API.
type Bucket interface {
	// List returns a page of the objects whose keys begin with prefix and come after a
	// key, in byte order of their keys. more says that it is not the last one.
	List(ctx context.Context, bucket, prefix, after string) (page []Object, more bool, err error)
}

// An Object is one of a Bucket.
type Object struct {
	Key, ETag    string // the ETag without quotes
	Size         int64  // bytes
	LastModified time.Time
}

// A listing finds out what became of a bucket's objects by listing them: one node does
// it, every now and then, and compares with what functions know.
type listing struct {
	*batcher
	bucket, prefix string

	failing bool // the last listing failed, or there was none yet
}

// Times of a listing.
const (
	defaultEvery = time.Minute
	leastEvery   = time.Second
	pageWithin   = 30 * time.Second
)

// The name of the lease of a listing, and of the record that says that the first one has
// been done.
const (
	listingLease  = "listing"
	listingRecord = "listed"
)

var bucketPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$`)

// bucketOf are those of arn:aws:s3:::BUCKET/PREFIX.
func bucketOf(m *registry.Mapping) (bucket, prefix string, err error) {
	source, err := arn.Parse(m.EventSourceArn)
	if err != nil {
		return "", "", err
	}
	bucket, prefix, _ = strings.Cut(source.Resource, "/")
	switch {
	case !bucketPattern.MatchString(bucket):
		err = fmt.Errorf("%.80q is not the name of a bucket: buckets are named as arn:aws:s3:::BUCKET/PREFIX", bucket)
	case strings.HasSuffix(prefix, "*"):
		err = errors.New("what follows a bucket is a prefix of keys, and no pattern: leave the * out")
	}
	return bucket, prefix, err
}

// checkListing is Check of buckets.
func checkListing(m *registry.Mapping) error {
	if _, _, err := bucketOf(m); err != nil {
		return err
	}
	switch c := m.Connection; {
	case len(m.Topics) > 0 || c != nil && c.Group != "":
		return errors.New("buckets have not a topic or a group")
	case m.MaximumConcurrency != nil:
		return errors.New("buckets have not a concurrency: their batches run one after the other")
	case *m.MaximumBatchingWindowInSeconds > 0:
		return errors.New("buckets have not a batch window: what a listing finds is all there")
	case c != nil && c.Every != 0 && c.Every < leastEvery:
		return fmt.Errorf("a bucket is listed every %s: %s is the least", c.Every, leastEvery)
	}
	if m.StartingPosition == "" {
		m.StartingPosition = "LATEST"
	}
	setDefault(&m.BatchSize, 10)
	streamDefaults(m)
	return refuseShardSettings("buckets", m, true)
}

func newListing(b *batcher) (*listing, error) {
	bucket, prefix, err := bucketOf(&b.mapping)
	return &listing{batcher: b, bucket: bucket, prefix: prefix, failing: true}, err
}

func (l *listing) run(ctx context.Context) error {
	for ctx.Err() == nil {
		grant, err := l.engine.Store.Take(ctx, state.Claim{Name: l.leaseName(listingLease), Limit: 1, Count: 1, For: leaseFor})
		if err == nil && grant.Count == 1 {
			err = l.withLease(ctx, listingLease, grant, l.watch)
		}
		if err != nil {
			l.failing = true
			return err
		}
		sleep(ctx, shardsEvery)
	}
	return ctx.Err()
}

// watch lists again and again.
func (l *listing) watch(ctx context.Context) error {
	every := defaultEvery
	if c := l.mapping.Connection; c != nil && c.Every != 0 {
		every = c.Every
	}
	for ctx.Err() == nil {
		due := time.Now().Add(every)
		if err := l.list(ctx); err != nil {
			return err
		}
		if l.failing {
			l.failing = false
			l.engine.result(l.mapping.UUID, "OK")
		}
		sleep(ctx, max(time.Until(due), leastEvery))
	}
	return ctx.Err()
}

// isOld reports whether an object makes no event because it existed at the first listing.
func (l *listing) isOld(o *Object) bool {
	switch at := l.mapping.StartingPositionTimestamp; l.mapping.StartingPosition {
	case "TRIM_HORIZON":
		return false
	case "AT_TIMESTAMP":
		return at != nil && o.LastModified.Before(*at)
	}
	return true
}

// call implements ordered.
func (l *listing) call(ctx context.Context, records []record) (map[string]bool, *environment.Call, error) {
	return l.invoke(ctx, records)
}

// describedKeys is how many keys the record for an on-failure destination has: messages have a
// limit.
const describedKeys = 100

// describe implements ordered.
func (l *listing) describe(records []record) (name, place string, info any) {
	var keys []string
	for n := range records[:min(len(records), describedKeys)] {
		keys = append(keys, records[n].id)
	}
	return "S3BatchInfo", l.bucket, map[string]any{"bucket": l.bucket, "prefix": l.prefix, "keys": keys, "batchSize": len(records), "eventSourceARN": l.mapping.EventSourceArn}
}

// An s3Record is as S3 has it in notifications.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
type s3Record struct {
	EventVersion      string            `json:"eventVersion"`
	EventSource       string            `json:"eventSource"`
	AWSRegion         string            `json:"awsRegion"`
	EventTime         string            `json:"eventTime"`
	EventName         string            `json:"eventName"`
	UserIdentity      s3Identity        `json:"userIdentity"`
	RequestParameters map[string]string `json:"requestParameters"`
	ResponseElements  map[string]string `json:"responseElements"`
	S3                s3Entity          `json:"s3"`
}

type s3Identity struct {
	PrincipalID string `json:"principalId"`
}

type s3Entity struct {
	SchemaVersion   string   `json:"s3SchemaVersion"`
	ConfigurationID string   `json:"configurationId"`
	Bucket          s3Bucket `json:"bucket"`
	Object          s3Object `json:"object"`
}

type s3Bucket struct {
	Name          string     `json:"name"`
	OwnerIdentity s3Identity `json:"ownerIdentity"`
	ARN           string     `json:"arn"`
}

type s3Object struct {
	Key       string `json:"key"`
	Size      *int64 `json:"size,omitempty"`
	ETag      string `json:"eTag,omitempty"`
	Sequencer string `json:"sequencer"`
}

const s3Time = "2006-01-02T15:04:05.000Z"

// encodeKey writes a key as S3 does in notifications: form-encoded, but for slashes.
func encodeKey(key string) string { return keyEncoding.Replace(url.QueryEscape(key)) }

var keyEncoding = strings.NewReplacer("%2F", "/", "%2A", "*", "~", "%7E")

// recordOf makes a record of an object that was found at a time, or found to be gone.
func (l *listing) recordOf(o *Object, gone bool, seen time.Time) (record, error) {
	key := encodeKey(o.Key)
	event := s3Record{
		EventVersion: "2.1", EventSource: "aws:s3", AWSRegion: l.engine.Account.Region,
		EventTime: seen.UTC().Format(s3Time), EventName: "ObjectRemoved:Delete",
		RequestParameters: map[string]string{"sourceIPAddress": ""}, ResponseElements: map[string]string{},
		S3: s3Entity{
			SchemaVersion: "1.0", ConfigurationID: l.mapping.UUID,
			Bucket: s3Bucket{Name: l.bucket, ARN: "arn:aws:s3:::" + l.bucket},
			Object: s3Object{Key: key, Sequencer: fmt.Sprintf("%016X", seen.UnixNano())},
		},
	}
	if c := l.mapping.Connection; c != nil {
		event.AWSRegion = cmp.Or(c.Region, event.AWSRegion)
	}
	if !gone {
		event.EventName, event.EventTime = "ObjectCreated:Put", o.LastModified.UTC().Format(s3Time)
		event.S3.Object.Size, event.S3.Object.ETag = &o.Size, o.ETag
	}
	text, err := json.Marshal(event)
	// Objects have nothing to do with each other: what is done is done.
	return record{id: key, shard: key, key: key, event: text, filters: text, at: seen}, err
}
