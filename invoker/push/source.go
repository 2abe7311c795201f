package push

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Limits of what a sender may hand over.
const (
	MaxBody    = 10 << 20 // bytes of a request's body
	MaxSNS     = 2 << 20  // of a message of SNS; its 256 KB may be escaped in JSON
	MaxDepth   = 64       // levels of JSON
	MaxHeaders = 100      // header fields of a request
	MaxEvents  = 1000     // events of one request
	MaxKey     = 4096     // bytes of an object's key; S3 has 1024, file systems behind some stores more
)

// A Source is one kind of sender. It is used by many requests at once.
type Source interface {
	// Admit checks all of a request that does not need its body: r.Body is not read. It
	// returns the largest body that the source takes of this sender, in bytes, or an
	// error as Decode does.
	Admit(r *Request) (most int64, err error)
	// Decode verifies the sender, as Admit does and by the body, and returns the events of the request, or an error
	// that Status turns into an HTTP status. Nothing of a request that gives an error
	// may be run. Errors never hold a secret, and of the body no more than field names
	// and short values.
	Decode(ctx context.Context, r *Request) (Delivery, error)
}

// A Request is the request of a sender. Query is the parsed query of the URL.
type Request struct {
	Method   string
	Query    url.Values
	Header   http.Header
	Body     []byte    // whole, and as large as Admit allows at most
	Received time.Time // judges the age of signatures
}

// A Delivery is the result of a request. When all of Events are stored, the caller answers
// the sender with Response, or with a plain 200 if that is nil.
type Delivery struct {
	Events   []Event
	Response *Response
	// Signed says that a signature proves the events. Anyone who has read a signed request can
	// send it again, any number of times, to any address that takes it, until Until if that
	// is set.
	Signed bool
	Until  time.Time
}

// A Response is an answer that the sender's protocol asks for.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// An Event is the input of a function, and the part of it that rules see.
type Event struct {
	Payload []byte // JSON

	Source  string // name of the source, "s3"
	Name    string // "ObjectCreated:Put", "push", "com.example.order"
	Subject string // what it happened to; "BUCKET/KEY" of objects, the key as it is
	Bucket  string // of objects
	Key     string // of objects, not encoded

	// Once is the same, of at most 80 bytes, when the sender delivers the event again,
	// and differs for every other event of the sender; empty where the sender gives
	// nothing to tell. Two senders may have the same: keep them apart by their route.
	Once string
	// Order is the same, of at most 80 bytes, for events of which the sender's order
	// matters: those of one object; empty if there is none.
	Order string
}

// A Config says which senders are allowed, and has the values that the sender leaves out.
// The package's table says which fields a source needs; New refuses a field that the
// source does not use.
type Config struct {
	// Tokens are accepted as "Authorization: Bearer TOKEN", or as ?token= for senders
	// that cannot set a header. More than one lets them be changed without a gap.
	Tokens []string
	// Open accepts events from anyone, for when something in front of the source has
	// checked the sender: a network, a client certificate, a secret path.
	Open bool
	// Secrets are the keys of signatures.
	Secrets []string
	// SignatureHeader is where the generic source finds "sha256=HEX" or "HEX", the
	// HMAC-SHA256 of the body. Default X-Signature-256.
	SignatureHeader string
	// Topics are the ARNs of the SNS topics that may send.
	Topics []string
	// SNS reaches out for the sources that take messages of SNS.
	SNS SNSClient
	// Region is awsRegion and region where the sender has none. Default us-east-1.
	Region string
	// Tolerance is how old or how far ahead a signed time may be. Default 5 min.
	Tolerance time.Duration
}

// Defaults of Config.
const (
	DefaultSignatureHeader = "X-Signature-256"
	DefaultRegion          = "us-east-1"
	DefaultTolerance       = 5 * time.Minute
)

// uses are the groups of Config's fields that a source has a use for.
type uses struct{ tokens, secrets, header, topics, tolerance bool }

// New returns the source of a name. The error names what the configuration lacks, or
// has too much.
func New(name string, c Config) (Source, error) {
	var u uses
	var build func(Config) (Source, error)
	switch name {
	case "s3":
		u, build = uses{tokens: true, topics: true}, newS3
	case "sns":
		u, build = uses{topics: true}, newSNS
	case "eventbridge":
		u, build = uses{tokens: true}, newEventBridge
	case "cloudevents":
		u, build = uses{tokens: true}, newCloudEvents
	case "eventgrid":
		u, build = uses{tokens: true}, newEventGrid
	case "github":
		u, build = uses{secrets: true}, newGitHub
	case "standard_webhooks":
		u, build = uses{secrets: true, tolerance: true}, newStandardWebhooks
	case "generic":
		u, build = uses{tokens: true, secrets: true, header: true}, newGeneric
	default:
		return nil, fmt.Errorf("no push source %q; there are %v", name, Names())
	}
	if err := c.check(u); err != nil {
		return nil, fmt.Errorf("push source %s: %w", name, err)
	}
	if c.Region == "" {
		c.Region = DefaultRegion
	}
	if c.SignatureHeader == "" {
		c.SignatureHeader = DefaultSignatureHeader
	}
	if c.Tolerance == 0 {
		c.Tolerance = DefaultTolerance
	}
	source, err := build(c)
	if err != nil {
		return nil, fmt.Errorf("push source %s: %w", name, err)
	}
	return checked{source}, nil
}

// Names are the sources that New knows.
func Names() []string {
	return []string{"cloudevents", "eventbridge", "eventgrid", "generic", "github", "s3", "sns", "standard_webhooks"}
}

// checked holds every source to the limits, before it does any work. It calls Decode of the
// source when Admit has taken the request, so that no source checks anything twice.
type checked struct{ source Source }

func (c checked) Admit(r *Request) (most int64, err error) {
	fields := 0
	for _, values := range r.Header {
		fields += len(values)
	}
	if fields > MaxHeaders {
		return 0, fmt.Errorf("%w: %d header fields, at most %d are taken", ErrTooLarge, fields, MaxHeaders)
	}
	return c.source.Admit(r)
}

func (c checked) Decode(ctx context.Context, r *Request) (Delivery, error) {
	most, err := c.Admit(r)
	if err != nil {
		return Delivery{}, err
	}
	if int64(len(r.Body)) > most {
		return Delivery{}, fmt.Errorf("%w: a body of %d bytes, at most %d are taken", ErrTooLarge, len(r.Body), most)
	}
	delivery, err := c.source.Decode(ctx, r)
	if err != nil {
		return Delivery{}, err
	}
	if len(delivery.Events) > MaxEvents {
		return Delivery{}, fmt.Errorf("%w: %d events, at most %d are taken at once", ErrTooLarge, len(delivery.Events), MaxEvents)
	}
	return delivery, nil
}
