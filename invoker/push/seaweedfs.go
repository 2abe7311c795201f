package push

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// seaweedBuckets is where the filer keeps the buckets of its S3 gateway.
const seaweedBuckets = "/buckets/"

// decodeSeaweedFS reads a notification of a SeaweedFS filer, which tells of files, not
// of objects: message has the entry before, the entry after, or both. Its event_type
// is no help, because a file that is overwritten is called a "rename" as well.
// https://github.com/seaweedfs/seaweedfs/blob/master/weed/notification/webhook/types.go
//
// SeaweedFS has no sequencer, so its events have no Once: two writes of one file within
// a second look the same as one write that is sent twice.
func (s *s3) decodeSeaweedFS(message object) (Delivery, error) {
	change := sub(message, "message")
	was, is := sub(change, "old_entry"), sub(change, "new_entry")
	if was == nil && is == nil {
		return Delivery{}, fmt.Errorf("%w: message has neither old_entry nor new_entry", ErrMalformed)
	}
	from := str(message, "key")
	to := from
	if parent := str(change, "new_parent_path"); parent != "" && is != nil && str(is, "name") != "" {
		to = path.Join(parent, str(is, "name"))
	}
	moved := was != nil && is != nil && from != to

	var d Delivery
	add := func(name, file string, entry object) error {
		e, ok, err := s.seaweedEvent(name, file, entry)
		if ok {
			d.Events = append(d.Events, e)
		}
		return err
	}
	if was != nil && (is == nil || moved) {
		if err := add("ObjectRemoved:Delete", from, was); err != nil {
			return Delivery{}, err
		}
	}
	if is != nil && (was == nil || moved || written(was, is)) {
		name := "ObjectCreated:Put"
		if moved {
			name = "ObjectCreated:Copy"
		}
		if err := add(name, to, is); err != nil {
			return Delivery{}, err
		}
	}
	return d, nil
}

// written says whether a file's content was written: the filer also tells of tags,
// owners and the like.
func written(was, is object) bool {
	before, after := sub(was, "attributes"), sub(is, "attributes")
	return !reflect.DeepEqual(was["chunks"], is["chunks"]) ||
		!reflect.DeepEqual(was["content"], is["content"]) ||
		!reflect.DeepEqual(before["mtime"], after["mtime"]) ||
		!reflect.DeepEqual(before["mtime_ns"], after["mtime_ns"])
}

// seaweedEvent makes an S3 record of a file in a bucket. Other files, folders, and the
// parts of an upload that is under way are no objects.
func (s *s3) seaweedEvent(name, file string, entry object) (Event, bool, error) {
	inBuckets, ok := strings.CutPrefix(file, seaweedBuckets)
	bucket, key, _ := strings.Cut(inBuckets, "/")
	folder, _ := entry["is_directory"].(bool)
	if !ok || folder || key == "" || bucket == "" || strings.HasPrefix(bucket, ".") || strings.HasPrefix(key, ".uploads/") {
		return Event{}, false, nil
	}
	e, err := objectEvent(name, bucket, key)
	if err != nil {
		return Event{}, false, err
	}

	attributes := sub(entry, "attributes")
	at := time.Unix(0, 0)
	if seconds, ok := integer(attributes["mtime"]); ok {
		at = time.Unix(seconds, 0)
	}
	obj := object{"key": encodeKey(key)}
	if mime := str(attributes, "mime"); mime != "" {
		obj["contentType"] = mime
	}
	if !strings.HasPrefix(name, "ObjectRemoved:") {
		obj["size"] = json.Number(strconv.FormatInt(fileSize(entry), 10))
		if sum, err := base64.StdEncoding.DecodeString(str(attributes, "md5")); err == nil && len(sum) > 0 {
			obj["eTag"] = hex.EncodeToString(sum)
		}
	}
	nobody := object{"principalId": ""}
	e.Payload, err = encodeJSON(object{"Records": []any{object{
		"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": s.config.Region,
		"eventTime": at.UTC().Format(awsTime), "eventName": name,
		"userIdentity": nobody, "requestParameters": object{"sourceIPAddress": ""},
		"responseElements": object{},
		"s3": object{
			"s3SchemaVersion": "1.0", "configurationId": "seaweedfs",
			"bucket": object{"name": bucket, "ownerIdentity": nobody, "arn": "arn:aws:s3:::" + bucket},
			"object": obj,
		},
	}}})
	return e, true, err
}

// fileSize is the largest of what the entry says: small files have their content in the
// entry, others have chunks, and the attribute may be missing.
func fileSize(entry object) int64 {
	size, _ := integer(sub(entry, "attributes")["file_size"])
	if content := str(entry, "content"); content != "" {
		if b, err := base64.StdEncoding.DecodeString(content); err == nil {
			size = max(size, int64(len(b)))
		}
	}
	chunks, _ := entry["chunks"].([]any)
	for _, value := range chunks {
		chunk, _ := value.(object)
		offset, _ := integer(chunk["offset"])
		length, _ := integer(chunk["size"])
		if end := offset + length; end > size && offset >= 0 && length >= 0 {
			size = end
		}
	}
	return size
}

func integer(value any) (int64, bool) {
	n, ok := value.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := n.Int64()
	return i, err == nil
}
