package push

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// s3 takes the notifications of S3 and of the stores that speak its language.
// S3 itself sends by way of SNS, which is verified by its signature instead of a token.
type s3 struct {
	config Config
	sns    *snsVerifier
}

func newS3(c Config) (Source, error) {
	v, err := newSNSVerifier(c)
	return &s3{c, v}, err
}

func (s *s3) Admit(r *Request) (int64, error) {
	if err := onlyPOST(r); err != nil {
		return 0, err
	}
	if !isSNS(r) {
		return MaxBody, s.config.authorize(r)
	}
	if len(s.config.Topics) == 0 {
		return 0, fmt.Errorf("%w: messages of SNS are taken when their topic is configured", ErrForbidden)
	}
	return s.sns.admit(r)
}

func (s *s3) Decode(ctx context.Context, r *Request) (Delivery, error) {
	if isSNS(r) {
		message, err := s.sns.verify(ctx, r)
		if err != nil || message == nil {
			return Delivery{}, err
		}
		d, err := s.decode([]byte(str(message, "Message")))
		d.Signed, d.Until = true, s.sns.until(message)
		return d, err
	}
	return s.decode(r.Body)
}

func (s *s3) decode(body []byte) (Delivery, error) {
	message, err := decodeObject(body)
	if err != nil {
		return Delivery{}, err
	}
	if str(message, "Event") == "s3:TestEvent" && message["Records"] == nil {
		return Delivery{}, nil // sent when a notification is set up, about no object
	}
	if _, ok := message["event_type"]; ok {
		return s.decodeSeaweedFS(message)
	}
	records, ok := message["Records"].([]any)
	if !ok {
		return Delivery{}, fmt.Errorf("%w: no Records; is the sender an S3 store?", ErrMalformed)
	}
	var d Delivery
	for i, value := range records {
		record, ok := value.(object)
		if !ok {
			return Delivery{}, fmt.Errorf("%w: Records[%d] is not an object", ErrMalformed, i)
		}
		e, err := s.normalise(record)
		if err != nil {
			return Delivery{}, fmt.Errorf("record %d: %w", i, err)
		}
		d.Events = append(d.Events, e)
	}
	return d, nil
}

// A store describes how a sender writes its records.
type store struct {
	rawKey bool // the key is as it is, not form-encoded
	// counts says that the sequencer begins again whenever the store does, so that it
	// names an event only together with its time.
	counts bool
}

// storeOf tells the sender by what only it writes, never by how a key looks.
func storeOf(record object) (store, error) {
	switch source := str(record, "eventSource"); source {
	case "minio:s3", "rustfs:s3":
		return store{}, nil
	case "ceph:s3":
		return store{rawKey: true}, nil
	case "aws:s3":
		identity := sub(record, "userIdentity")
		if _, versity := identity["PrincipalId"]; versity {
			return store{rawKey: true, counts: true}, nil
		}
		if _, aws := identity["principalId"]; aws {
			return store{}, nil
		}
		return store{}, fmt.Errorf("%w: userIdentity has no principalId, so nothing tells whether the key is encoded", ErrMalformed)
	default:
		return store{}, fmt.Errorf("%w: eventSource %.40q is not known; aws:s3, minio:s3, rustfs:s3 and ceph:s3 are", ErrMalformed, source)
	}
}

// normalise makes the record that a function gets from S3, in place; fields that S3
// does not have stay.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
func (s *s3) normalise(record object) (Event, error) {
	sender, err := storeOf(record)
	if err != nil {
		return Event{}, err
	}
	bucket, obj := sub(sub(record, "s3"), "bucket"), sub(sub(record, "s3"), "object")
	name := strings.TrimPrefix(str(record, "eventName"), "s3:")
	key := str(obj, "key")
	if !sender.rawKey {
		if key, err = url.QueryUnescape(key); err != nil {
			return Event{}, fmt.Errorf("%w: object.key is not URL-encoded, as %s sends it", ErrMalformed, str(record, "eventSource"))
		}
	}
	e, err := objectEvent(name, str(bucket, "name"), key)
	if err != nil {
		return Event{}, err
	}

	sent := str(record, "eventTime")
	record["eventVersion"] = "2.1"
	record["eventSource"] = "aws:s3"
	record["eventName"] = name
	record["eventTime"] = formatTime(sent)
	if str(record, "awsRegion") == "" {
		record["awsRegion"] = s.config.Region
	}
	lowerPrincipal(record, "userIdentity")
	lowerPrincipal(bucket, "ownerIdentity")
	bucket["arn"] = "arn:aws:s3:::" + e.Bucket
	obj["key"] = encodeKey(key)
	normaliseObject(obj, strings.HasPrefix(name, "ObjectRemoved:"))
	if sender.counts && name == "ObjectCreated:Copy" && obj["size"] == json.Number("0") {
		delete(obj, "size") // Versity does not know the size of a copy: none is better than a wrong one
	}
	if !strings.HasPrefix(name, "ObjectRestore:") {
		delete(record, "glacierEventData") // Versity always has it, S3 for what is restored
	}

	if sequencer := str(obj, "sequencer"); sequencer != "" {
		e.Once = once("s3", name, e.Bucket, key, str(obj, "versionId"), sequencer)
		if sender.counts {
			e.Once = once("s3", name, e.Bucket, key, str(obj, "versionId"), sequencer, sent)
		}
	}
	e.Payload, err = encodeJSON(object{"Records": []any{record}})
	return e, err
}

// objectEvent checks what an event is about.
func objectEvent(name, bucket, key string) (Event, error) {
	switch {
	case name == "":
		return Event{}, fmt.Errorf("%w: no eventName", ErrMalformed)
	case bucket == "":
		return Event{}, fmt.Errorf("%w: no s3.bucket.name", ErrMalformed)
	case key == "":
		return Event{}, fmt.Errorf("%w: no s3.object.key", ErrMalformed)
	case len(bucket) > 255 || strings.Contains(bucket, "/"):
		return Event{}, fmt.Errorf("%w: s3.bucket.name is not a bucket's name", ErrMalformed)
	case len(key) > MaxKey:
		return Event{}, fmt.Errorf("%w: a key of %d bytes, at most %d are taken", ErrMalformed, len(key), MaxKey)
	case len(name) > 128:
		return Event{}, fmt.Errorf("%w: an eventName of %d bytes", ErrMalformed, len(name))
	}
	return Event{
		Source: "s3", Name: name, Subject: bucket + "/" + key, Bucket: bucket, Key: key,
		Order: once("s3", bucket, key),
	}, nil
}

// lowerPrincipal renames the PrincipalId of Versity.
func lowerPrincipal(o object, field string) {
	identity := sub(o, field)
	if id, ok := identity["PrincipalId"]; ok {
		delete(identity, "PrincipalId")
		identity["principalId"] = id
	}
}

// normaliseObject makes size a number (Ceph's documentation has a string), takes the
// quotes off the ETag, and takes out what the sender left empty. S3 gives neither for
// an object that is gone.
func normaliseObject(obj object, removed bool) {
	if size, ok := obj["size"].(string); ok {
		delete(obj, "size")
		if isInteger(size) {
			obj["size"] = json.Number(size)
		}
	}
	if tag, ok := obj["etag"]; ok { // as Ceph's documentation spells it
		delete(obj, "etag")
		obj["eTag"] = tag
	}
	if tag, ok := obj["eTag"].(string); ok {
		obj["eTag"] = strings.Trim(tag, `"`)
	}
	for _, field := range []string{"eTag", "versionId", "size"} {
		if v, ok := obj[field]; ok && (v == nil || v == "") {
			delete(obj, field)
		}
	}
	if removed {
		delete(obj, "size")
		if str(obj, "versionId") == "" {
			delete(obj, "eTag")
		}
	}
}

// isInteger accepts what is an integer in JSON, without a sign.
func isInteger(s string) bool {
	return s != "" && len(s) < 20 && strings.Trim(s, "0123456789") == "" && (s[0] != '0' || len(s) == 1)
}

// encodeKey writes a key as S3 does in notifications: form-encoded, but for slashes.
func encodeKey(key string) string {
	const keep = "-_.*/"
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(key); i++ {
		switch c := key[i]; {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(keep, c) >= 0:
			b.WriteByte(c)
		case c == ' ':
			b.WriteByte('+')
		default:
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

// Configured is the payload of an object's event with the ID of a notification configuration, as S3
// has it.
func (e *Event) Configured(id string) ([]byte, error) {
	message, err := decodeObject(e.Payload)
	if err != nil {
		return nil, err
	}
	records, _ := message["Records"].([]any)
	for _, value := range records {
		if record, ok := value.(object); ok {
			if about := sub(record, "s3"); about != nil {
				about["configurationId"] = id
			}
		}
	}
	return encodeJSON(message)
}
