package push

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// seaweed is a request of a filer, in the form of its source:
// https://github.com/seaweedfs/seaweedfs/blob/master/weed/notification/webhook/http.go
func seaweed(key, was, is, parent string) string {
	var parts []string
	for name, entry := range map[string]string{"old_entry": was, "new_entry": is} {
		if entry != "" {
			parts = append(parts, fmt.Sprintf("%q:%s", name, entry))
		}
	}
	if parent != "" {
		parts = append(parts, fmt.Sprintf(`"new_parent_path":%q`, parent))
	}
	return fmt.Sprintf(`{"key":%s,"event_type":"rename","message":{%s}}`, quote(key), strings.Join(parts, ","))
}

func seaweedFile(name string, mtime int) string {
	sum := base64.StdEncoding.EncodeToString([]byte{0xb1, 0x94, 0x6a})
	return fmt.Sprintf(`{"name":%s,"chunks":[{"file_id":"3,01","offset":0,"size":4,"modified_ts_ns":1},{"offset":4,"size":2}],"attributes":{"mtime":%d,"mime":"image/jpeg","md5":%q}}`, quote(name), mtime, sum)
}

func TestChangesOfSeaweedFSBecomeS3sEvents(t *testing.T) {
	source := newSource(t, "s3", Config{Tokens: []string{"t"}})
	file := seaweedFile("a b+ü.jpg", 1795410210)
	d, err := source.Decode(t.Context(), post(seaweed("/buckets/photos/in/a b+ü.jpg", "", file, "/buckets/photos/in"), "Authorization", "Bearer t"))
	if err != nil || len(d.Events) != 1 {
		t.Fatalf("%+v, %v", d, err)
	}
	wantJSON(t, d.Events[0].Payload, `{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"us-east-1","eventTime":"2026-11-23T05:03:30.000Z","eventName":"ObjectCreated:Put","userIdentity":{"principalId":""},"requestParameters":{"sourceIPAddress":""},"responseElements":{},"s3":{"s3SchemaVersion":"1.0","configurationId":"seaweedfs","bucket":{"name":"photos","ownerIdentity":{"principalId":""},"arn":"arn:aws:s3:::photos"},"object":{"key":"in/a+b%2B%C3%BC.jpg","size":6,"eTag":"b1946a","contentType":"image/jpeg"}}}]}`)

	later := seaweedFile("a.jpg", 1795410211)
	file = seaweedFile("a.jpg", 1795410210)
	tests := []struct{ name, body, want string }{
		{"deleted", seaweed("/buckets/b/a.jpg", file, "", ""), "ObjectRemoved:Delete b/a.jpg"},
		{"overwritten", seaweed("/buckets/b/a.jpg", file, later, "/buckets/b"), "ObjectCreated:Put b/a.jpg"},
		{"retagged", seaweed("/buckets/b/a.jpg", file, file, "/buckets/b"), ""},
		{"moved", seaweed("/buckets/b/a.jpg", file, file, "/buckets/b/x"), "ObjectRemoved:Delete b/a.jpg, ObjectCreated:Copy b/x/a.jpg"},
		{"moved out", seaweed("/buckets/b/a.jpg", file, file, "/home"), "ObjectRemoved:Delete b/a.jpg"},
		{"a folder", seaweed("/buckets/b/x", "", `{"name":"x","is_directory":true}`, "/buckets/b"), ""},
		{"a bucket", seaweed("/buckets/b", "", `{"name":"b","is_directory":true}`, "/buckets"), ""},
		{"a part of an upload", seaweed("/buckets/b/.uploads/1/0001.part", "", seaweedFile("0001.part", 1), "/buckets/b/.uploads/1"), ""},
		{"outside the buckets", seaweed("/etc/a.jpg", "", file, "/etc"), ""},
	}
	for _, test := range tests {
		d, err := source.Decode(t.Context(), post(test.body, "Authorization", "Bearer t"))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		var got []string
		for _, e := range d.Events {
			got = append(got, e.Name+" "+e.Subject)
		}
		if strings.Join(got, ", ") != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	wantError(t, source, post(`{"event_type":"create","key":"/buckets/b/a","message":{}}`, "Authorization", "Bearer t"), ErrMalformed, "neither")
}
