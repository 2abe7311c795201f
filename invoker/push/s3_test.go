package push

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestMinIOsRequestsBecomeS3s(t *testing.T) {
	source := newSource(t, "s3", Config{Tokens: []string{"s3cret"}, Region: "eu-west-1"})
	requests := captured(t, "minio.txt")
	e := decodeOne(t, source, requests[0])
	if e.Name != "ObjectCreated:Put" || e.Bucket != "photos" || e.Key != "in/a b+ü.jpg" || e.Subject != "photos/in/a b+ü.jpg" {
		t.Errorf("event = %+v", e)
	}
	wantJSON(t, e.Payload, `{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"eu-west-1","eventTime":"2026-11-23T04:43:30.778Z","eventName":"ObjectCreated:Put","userIdentity":{"principalId":"minioadmin"},"requestParameters":{"principalId":"minioadmin","region":"","sourceIPAddress":"127.0.0.1"},"responseElements":{"x-amz-id-2":"4c60dc23cdb5aa6aef4a9c90161650f2adc75d7a268be98f17c4261de50d5c89","x-amz-request-id":"18EA92FB99DB9670","x-minio-deployment-id":"7c730111-b40d-4bde-8fde-a93451e1f8a5","x-minio-origin-endpoint":"http://127.0.0.1:5900"},"s3":{"s3SchemaVersion":"1.0","configurationId":"Config","bucket":{"name":"photos","ownerIdentity":{"principalId":"minioadmin"},"arn":"arn:aws:s3:::photos"},"object":{"key":"in/a+b%2B%C3%BC.jpg","size":6,"eTag":"b1946ac92492d2347c6235b4d2611184","contentType":"image/jpeg","userMetadata":{"content-type":"image/jpeg"},"sequencer":"18EA92FB99E6D006"}},"source":{"host":"127.0.0.1","port":"","userAgent":"aws-cli/1.45.11 md/Botocore#1.43.11 ua/2.1 os/linux#6.18.44-fc-v657 md/arch#x86_64 lang/python#3.11.7 md/pyimpl#CPython m/Z,b,D,U,N cfg/retry-mode#legacy botocore/1.43.11"}}]}`)

	removed := decodeOne(t, source, requests[1])
	if removed.Name != "ObjectRemoved:Delete" || removed.Order != e.Order {
		t.Errorf("event = %+v", removed)
	}
	if again := decodeOne(t, source, requests[0]); again.Once != e.Once || e.Once == "" || removed.Once == e.Once {
		t.Errorf("Once = %q, again %q, of another event %q", e.Once, again.Once, removed.Once)
	}
	requests[0].Header.Set("Authorization", "Bearer other")
	wantError(t, source, requests[0], ErrUnauthorized, "wrong token")
}

func TestVersitysRequestsBecomeS3s(t *testing.T) {
	source := newSource(t, "s3", Config{Open: true})
	requests := captured(t, "versitygw.txt")
	if d, err := source.Decode(t.Context(), requests[0]); err != nil || len(d.Events) > 0 {
		t.Errorf("the test message gives %+v, %v", d, err)
	}
	e := decodeOne(t, source, requests[1])
	wantJSON(t, e.Payload, `{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"us-east-1","eventTime":"2026-11-23T05:08:20.000Z","eventName":"ObjectCreated:Put","userIdentity":{"principalId":"minioadmin"},"requestParameters":{"sourceIPAddress":"127.0.0.1"},"responseElements":{"x-amz-request-id":"","x-amz-id-2":""},"s3":{"s3SchemaVersion":"1.0","configurationId":"webhook-global","bucket":{"name":"photos","ownerIdentity":{"principalId":"minioadmin"},"arn":"arn:aws:s3:::photos"},"object":{"key":"in/a+b%2B%C3%BC.jpg","size":6,"eTag":"b1946ac92492d2347c6235b4d2611184","sequencer":"1"}}}]}`)
	if e.Key != "in/a b+ü.jpg" {
		t.Errorf("key = %q", e.Key)
	}
	removed := record(t, decodeOne(t, source, requests[2]))
	wantObject := `{"key":"in/a+b%2B%C3%BC.jpg","sequencer":"2"}`
	got, _ := encodeJSON(sub(removed, "s3")["object"])
	wantJSON(t, got, wantObject)
}

func TestVersitysCopiesHaveNoWrongSize(t *testing.T) {
	source := newSource(t, "s3", Config{Open: true})
	r := captured(t, "versitygw.txt")[1]
	r.Body = []byte(strings.NewReplacer("ObjectCreated:Put", "ObjectCreated:Copy", `"size":6`, `"size":0`).Replace(string(r.Body)))
	got := sub(sub(record(t, decodeOne(t, source, r)), "s3"), "object")
	if size, ok := got["size"]; ok || got["eTag"] == nil {
		t.Errorf("the object is %v, of size %v", got, size)
	}
}

// Versity counts from 1 again when it starts: the same number is not the same event.
func TestVersitysCounterAloneNamesNoEvent(t *testing.T) {
	source := newSource(t, "s3", Config{Open: true})
	r := captured(t, "versitygw.txt")[1]
	first := decodeOne(t, source, r)
	r.Body = []byte(strings.ReplaceAll(string(r.Body), "05:08:20Z", "05:08:21Z"))
	if later := decodeOne(t, source, r); later.Once == first.Once {
		t.Error("an event after a restart is taken for an earlier one")
	}
}

// s3Record is a notification of one object, with its key and source as they are sent.
func s3Record(source, key string) string {
	return fmt.Sprintf(`{"Records":[{"eventVersion":"2.2","eventSource":%q,"eventTime":"2021-04-29 03:44:09.933439Z","eventName":"s3:ObjectCreated:Put",`+
		`"userIdentity":{"principalId":"u"},"s3":{"bucket":{"name":"b","arn":"arn:aws:s3:default::b","id":"x"},`+
		`"object":{"key":%s,"size":"12","etag":"z","versionId":"","sequencer":"00A1"}},"eventId":"e","opaqueData":"o"}]}`, source, quote(key))
}

func quote(s string) string {
	b, _ := encodeJSON(s)
	return string(b)
}

func TestCephsRecordsBecomeS3s(t *testing.T) {
	source := newSource(t, "s3", Config{Open: true})
	e := decodeOne(t, source, post(s3Record("ceph:s3", "100%+a b.jpg")))
	wantJSON(t, e.Payload, `{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"us-east-1","eventTime":"2021-04-29T03:44:09.933Z","eventName":"ObjectCreated:Put","userIdentity":{"principalId":"u"},"s3":{"bucket":{"name":"b","arn":"arn:aws:s3:::b","id":"x"},"object":{"key":"100%25%2Ba+b.jpg","size":12,"eTag":"z","sequencer":"00A1"}},"eventId":"e","opaqueData":"o"}]}`)
}

func TestKeysOfEveryCharacterSurvive(t *testing.T) {
	source := newSource(t, "s3", Config{Open: true})
	for c := rune(1); c < 0x250; c++ {
		key := fmt.Sprintf("dir/%c+ %%41%c.jpg", c, c)
		for sender, sent := range map[string]string{
			"ceph:s3": key, "minio:s3": url.QueryEscape(key), "rustfs:s3": url.QueryEscape(key), "aws:s3": encodeKey(key),
		} {
			e := decodeOne(t, source, post(s3Record(sender, sent)))
			object := sub(sub(record(t, e), "s3"), "object")
			got, err := url.QueryUnescape(str(object, "key"))
			if err != nil || got != key || e.Key != key {
				t.Fatalf("%s: key %q became %q (%q), %v", sender, key, e.Key, str(object, "key"), err)
			}
		}
	}
}

func TestRecordsThatNameNoObjectAreRefused(t *testing.T) {
	source := newSource(t, "s3", Config{Open: true})
	for body, want := range map[string]string{
		`[]`:                        "not a JSON object",
		`{}`:                        "no Records",
		`{"Records":{}}`:            "no Records",
		`{"Records":[1]}`:           "Records[0] is not an object",
		`{"Records":[{}]}`:          "eventSource",
		s3Record("azure:s3", "k"):   `eventSource "azure:s3" is not known`,
		s3Record("minio:s3", "%zz"): "not URL-encoded",
		s3Record("minio:s3", ""):    "no s3.object.key",
		s3Record("ceph:s3", strings.Repeat("k", MaxKey+1)):                                                            "a key of",
		`{"Records":[{"eventSource":"aws:s3","s3":{}}]}`:                                                              "no principalId",
		`{"Records":[{"eventSource":"ceph:s3"}]}`:                                                                     "no eventName",
		`{"Records":[{"eventSource":"ceph:s3","eventName":"x","s3":{"bucket":{"name":"a/b"},"object":{"key":"k"}}}]}`: "not a bucket's name",
	} {
		wantError(t, source, post(body), ErrMalformed, want)
	}
}

func TestRecordsOfOneRequestBecomeEventsOfTheirOwn(t *testing.T) {
	source := newSource(t, "s3", Config{Open: true})
	one := strings.TrimSuffix(strings.TrimPrefix(s3Record("ceph:s3", "k"), `{"Records":[`), `]}`)
	d, err := source.Decode(t.Context(), post(`{"Records":[`+one+`,`+one+`]}`))
	if err != nil || len(d.Events) != 2 || d.Events[0].Once != d.Events[1].Once {
		t.Errorf("delivery = %+v, %v", d, err)
	}
	wantError(t, source, post(`{"Records":[`+strings.Repeat(one+",", MaxEvents)+one+`]}`), ErrTooLarge, "events")
}

func BenchmarkS3(b *testing.B) {
	source := newSource(b, "s3", Config{Tokens: []string{"s3cret"}})
	r := captured(b, "minio.txt")[0]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := source.Decode(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzS3(f *testing.F) {
	for _, file := range []string{"minio.txt", "versitygw.txt"} {
		for _, r := range captured(f, file) {
			f.Add(r.Body)
		}
	}
	f.Add([]byte(s3Record("ceph:s3", "a b")))
	f.Add([]byte(`{"key":"/buckets/b/k","event_type":"create","message":{"new_entry":{"name":"k","chunks":[{"offset":1,"size":9}]}}}`))
	source := newSource(f, "s3", Config{Open: true})
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := source.Decode(t.Context(), post(string(body)))
		if err != nil {
			if Status(err) >= 500 {
				t.Errorf("status %d: %v", Status(err), err)
			}
			return
		}
		for _, e := range d.Events {
			r := record(t, e)
			key, err := url.QueryUnescape(str(sub(sub(r, "s3"), "object"), "key"))
			if err != nil || key != e.Key || key == "" || e.Bucket == "" || str(r, "eventSource") != "aws:s3" {
				t.Errorf("key %q (%v) of %s", e.Key, err, e.Payload)
			}
		}
	})
}
