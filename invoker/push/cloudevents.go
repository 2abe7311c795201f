package push

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"
)

// cloudEvents takes CloudEvents 1.0 over HTTP, one or a batch. Functions get the
// structured form, whichever was sent.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
type cloudEvents struct{ config Config }

func newCloudEvents(c Config) (Source, error) { return &cloudEvents{c}, nil }

func (c *cloudEvents) Admit(r *Request) (int64, error) {
	if err := c.config.authorize(r); err != nil || r.Method == http.MethodOptions {
		return MaxBody, err
	}
	return MaxBody, onlyPOST(r)
}

func (c *cloudEvents) Decode(_ context.Context, r *Request) (Delivery, error) {
	if r.Method == http.MethodOptions {
		return allowWebHook(r)
	}
	return decodeCloudEvents(r, "cloudevents")
}

// allowWebHook consents to deliveries. The sender proved itself before: a stranger must
// not be able to turn another's events on us.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md#4-abuse-protection
func allowWebHook(r *Request) (Delivery, error) {
	origin := r.Header.Get("WebHook-Request-Origin")
	if !isToken(origin, 255) {
		return Delivery{}, fmt.Errorf("%w: OPTIONS without WebHook-Request-Origin", ErrMalformed)
	}
	header := http.Header{}
	header.Set("Allow", http.MethodPost)
	header.Set("WebHook-Allowed-Origin", origin)
	if r.Header.Get("WebHook-Request-Rate") != "" {
		header.Set("WebHook-Allowed-Rate", "*")
	}
	return Delivery{Response: &Response{Status: http.StatusOK, Header: header}}, nil
}

func decodeCloudEvents(r *Request, source string) (Delivery, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil && r.Header.Get("Content-Type") != "" {
		return Delivery{}, fmt.Errorf("%w: Content-Type cannot be read", ErrMediaType)
	}
	var events []any
	switch {
	case media == "application/cloudevents+json":
		event, err := decodeObject(r.Body)
		if err != nil {
			return Delivery{}, err
		}
		events = []any{event}
	case media == "application/cloudevents-batch+json":
		value, err := decodeJSON(r.Body)
		if err != nil {
			return Delivery{}, err
		}
		var ok bool
		if events, ok = value.([]any); !ok {
			return Delivery{}, fmt.Errorf("%w: a batch is a JSON array", ErrMalformed)
		}
	case strings.HasPrefix(media, "application/cloudevents"):
		return Delivery{}, fmt.Errorf("%w: %s; the JSON formats are known", ErrMediaType, media)
	default:
		event, err := binaryCloudEvent(r, media)
		if err != nil {
			return Delivery{}, err
		}
		events = []any{event}
	}
	var d Delivery
	for i, value := range events {
		event, ok := value.(object)
		if !ok {
			return Delivery{}, fmt.Errorf("%w: [%d] is not an object", ErrMalformed, i)
		}
		e, err := cloudEvent(event, source)
		if err != nil {
			return Delivery{}, fmt.Errorf("[%d]: %w", i, err)
		}
		d.Events = append(d.Events, e)
	}
	return d, nil
}

// binaryCloudEvent gathers the attributes from the header, and the data from the body.
func binaryCloudEvent(r *Request, media string) (object, error) {
	event := object{}
	for field, values := range r.Header {
		name, ok := strings.CutPrefix(strings.ToLower(field), "ce-")
		if !ok {
			continue
		}
		if len(values) != 1 || !isAttribute(name) || name == "data" {
			return nil, fmt.Errorf("%w: the header %.40q is no attribute of a CloudEvent, or is there twice", ErrMalformed, field)
		}
		value := percentDecoded(values[0])
		if !utf8.ValidString(value) {
			return nil, fmt.Errorf("%w: the header %.40q is not UTF-8 once it is percent-decoded", ErrMalformed, field)
		}
		event[name] = value
	}
	if len(event) == 0 {
		return nil, fmt.Errorf("%w: not a CloudEvent: neither ce- headers nor application/cloudevents+json", ErrMediaType)
	}
	if contentType := r.Header.Get("Content-Type"); contentType != "" {
		event["datacontenttype"] = contentType
	}
	switch {
	case len(r.Body) == 0:
	case media == "" || media == "application/json" || strings.HasSuffix(media, "+json"):
		data, err := decodeJSON(r.Body)
		if err != nil {
			return nil, err
		}
		event["data"] = data
	case strings.HasPrefix(media, "text/") && utf8.Valid(r.Body):
		event["data"] = string(r.Body)
	default:
		event["data_base64"] = base64.StdEncoding.EncodeToString(r.Body)
	}
	return event, nil
}

// percentDecoded decodes what senders are to encode. Not all of them do: a % that begins
// no two digits stands for itself.
// https://github.com/cloudevents/spec/issues/1397
func percentDecoded(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if b, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				out = append(out, b[0])
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

// isAttribute accepts the names of attributes. The specification only advises against
// long ones.
func isAttribute(name string) bool {
	return name != "" && len(name) <= 100 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

func cloudEvent(event object, source string) (Event, error) {
	for _, name := range []string{"id", "source", "specversion", "type"} {
		if value := str(event, name); value == "" || len(value) > 2048 {
			return Event{}, fmt.Errorf("%w: a CloudEvent without %s, or a long one", ErrMalformed, name)
		}
	}
	if version := str(event, "specversion"); version != "1.0" {
		return Event{}, fmt.Errorf("%w: CloudEvents %.20q; 1.0 is known", ErrMalformed, version)
	}
	payload, err := encodeJSON(event)
	if err != nil {
		return Event{}, err
	}
	e := Event{
		Payload: payload, Source: source, Name: str(event, "type"), Subject: str(event, "subject"),
		Once: once(source, str(event, "source"), str(event, "id")),
	}
	if e.Subject == "" {
		e.Subject = str(event, "source")
	}
	bucket := str(event, "bucket")
	if bucket == "" {
		bucket = strings.TrimPrefix(str(event, "source"), "//storage.googleapis.com/projects/_/buckets/")
	}
	return withObject(e, bucket), nil
}

// withObject finds the object that an event of Google Cloud Storage or Azure Blob
// Storage is about, so that globs are written as for S3. Payload stays the sender's.
// https://cloud.google.com/eventarc/docs/cloudevents-json
// https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage
func withObject(e Event, bucket string) Event {
	var key string
	if path, ok := strings.CutPrefix(e.Subject, "/blobServices/default/containers/"); ok {
		bucket, key, _ = strings.Cut(path, "/blobs/")
	} else if strings.HasPrefix(e.Name, "google.cloud.storage.object.") {
		key, _ = strings.CutPrefix(e.Subject, "objects/")
	}
	if key == "" || bucket == "" || strings.Contains(bucket, "/") || len(key) > MaxKey {
		return e
	}
	e.Bucket, e.Key, e.Subject = bucket, key, bucket+"/"+key
	e.Order = once(e.Source, bucket, key)
	return e
}
