package push

import (
	"net/http"
	"strings"
	"testing"
)

func TestCloudEventsComeInEveryMode(t *testing.T) {
	source := newSource(t, "cloudevents", Config{Tokens: []string{"t"}})
	const event = `{"specversion":"1.0","id":"1","source":"/shop","type":"order.new","subject":"a b","data":{"n":12345678901234567890}}`
	structured := decodeOne(t, source, post(event, "Authorization", "Bearer t", "Content-Type", "application/cloudevents+json; charset=utf-8"))
	wantJSON(t, structured.Payload, event)
	if structured.Name != "order.new" || structured.Subject != "a b" {
		t.Errorf("event = %+v", structured)
	}

	binary := func(contentType, body string) *Request {
		return post(body, "Authorization", "Bearer t", "Content-Type", contentType, "ce-specversion", "1.0",
			"ce-id", "1", "ce-source", "/shop", "ce-type", "order.new", "ce-subject", "a%20b")
	}
	for contentType, test := range map[string][2]string{
		"application/json":         {`{"n":1}`, `"data":{"n":1}`},
		"application/vnd.x+json":   {`[1]`, `"data":[1]`},
		"text/plain":               {`hi`, `"data":"hi"`},
		"application/octet-stream": {"\xff\x00", `"data_base64":"/wA="`},
	} {
		e := decodeOne(t, source, binary(contentType, test[0]))
		wantJSON(t, e.Payload, `{"specversion":"1.0","id":"1","source":"/shop","type":"order.new","subject":"a b","datacontenttype":"`+contentType+`",`+test[1]+`}`)
		if e.Once != structured.Once {
			t.Error("one event has two names")
		}
	}

	for raw, subject := range map[string]string{"100%": "100%", "50%25": "50%", "%zz%C3%A9": "%zzé", "a%2": "a%2", "%": "%"} {
		r := binary("application/json", `{}`)
		r.Header.Set("ce-subject", raw)
		if e := decodeOne(t, source, r); e.Subject != subject {
			t.Errorf("ce-subject: %s gives %q, want %q", raw, e.Subject, subject)
		}
	}

	d, err := source.Decode(t.Context(), post("["+event+","+strings.Replace(event, `"1"`, `"2"`, 1)+"]", "Authorization", "Bearer t", "Content-Type", "application/cloudevents-batch+json"))
	if err != nil || len(d.Events) != 2 || d.Events[0].Once == d.Events[1].Once {
		t.Errorf("a batch gives %+v, %v", d, err)
	}
}

func TestWhatIsNoCloudEventIsRefused(t *testing.T) {
	source := newSource(t, "cloudevents", Config{Open: true})
	for body, want := range map[string]string{
		`{}`:                      "without id",
		`{"id":"1","source":"s"}`: "without specversion",
		`{"id":"1","source":"s","specversion":"0.3","type":"t"}`: `CloudEvents "0.3"`,
		`[]`:   "not a JSON object",
		`{"a"`: "not JSON",
	} {
		wantError(t, source, post(body, "Content-Type", "application/cloudevents+json"), ErrMalformed, want)
	}
	wantError(t, source, post(`{}`, "Content-Type", "application/cloudevents-batch+json"), ErrMalformed, "array")
	wantError(t, source, post(`[1]`, "Content-Type", "application/cloudevents-batch+json"), ErrMalformed, "[0]")
	wantError(t, source, post(``, "Content-Type", "application/cloudevents+avro"), ErrMediaType, "avro")
	wantError(t, source, post(`{}`, "Content-Type", "application/json"), ErrMediaType, "not a CloudEvent")
	wantError(t, source, post(`{}`, "Content-Type", "a;b;;"), ErrMediaType, "Content-Type")
	for _, field := range []string{"ce-a-b", "ce-", "ce-data", "ce-x_y"} {
		wantError(t, source, post(`{}`, "ce-id", "1", field, "x"), ErrMalformed, "no attribute")
	}
	wantError(t, source, post(`{}`, "ce-id", "%ff"), ErrMalformed, "not UTF-8 once it is percent-decoded")
}

func TestHandshakeIsForThoseWhoHaveTheToken(t *testing.T) {
	for _, name := range []string{"cloudevents", "eventgrid"} {
		source := newSource(t, name, Config{Tokens: []string{"t"}})
		r := post("", "WebHook-Request-Origin", "eventgrid.azure.net", "WebHook-Request-Rate", "120")
		r.Method = http.MethodOptions
		wantError(t, source, r, ErrUnauthorized, "no token")
		r.Query.Set("token", "t")
		d, err := source.Decode(t.Context(), r)
		if err != nil || d.Response == nil || d.Response.Status != 200 || len(d.Events) > 0 {
			t.Fatalf("%s: %+v, %v", name, d, err)
		}
		for field, want := range map[string]string{"Allow": "POST", "WebHook-Allowed-Origin": "eventgrid.azure.net", "WebHook-Allowed-Rate": "*"} {
			if got := d.Response.Header.Get(field); got != want {
				t.Errorf("%s: %s = %q, want %q", name, field, got, want)
			}
		}
		for _, origin := range []string{"", "a\nb", "ü"} {
			r.Header.Set("WebHook-Request-Origin", origin)
			wantError(t, source, r, ErrMalformed, "WebHook-Request-Origin")
		}
	}
}

func TestObjectsOfOtherCloudsAreNamedAsThoseOfS3(t *testing.T) {
	source := newSource(t, "cloudevents", Config{Open: true})
	for _, r := range []*Request{
		post(`{"name":"in/a b.jpg"}`, "ce-specversion", "1.0", "ce-id", "1", "ce-type", "google.cloud.storage.object.v1.finalized",
			"ce-source", "//storage.googleapis.com/projects/_/buckets/photos", "ce-subject", "objects/in/a b.jpg", "Content-Type", "application/json"),
		post(`{"specversion":"1.0","id":"1","source":"/subscriptions/x","type":"Microsoft.Storage.BlobCreated","subject":"/blobServices/default/containers/photos/blobs/in/a b.jpg"}`,
			"Content-Type", "application/cloudevents+json"),
	} {
		e := decodeOne(t, source, r)
		if e.Bucket != "photos" || e.Key != "in/a b.jpg" || e.Subject != "photos/in/a b.jpg" || e.Order == "" {
			t.Errorf("event = %+v", e)
		}
	}
}

func TestEventGridIsAnsweredAsItAsks(t *testing.T) {
	source := newSource(t, "eventgrid", Config{Tokens: []string{"t"}})
	request := func(kind, body string) *Request {
		return post(body, "Authorization", "Bearer t", "aeg-event-type", kind, "Content-Type", "application/json; charset=utf-8")
	}
	d, err := source.Decode(t.Context(), request("SubscriptionValidation", `[{"id":"1","eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{"validationCode":"<512d38b6>","validationUrl":"https://x"}}]`))
	if err != nil || d.Response == nil || d.Response.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%+v, %v", d, err)
	}
	wantJSON(t, d.Response.Body, `{"validationResponse":"<512d38b6>"}`)

	const created = `{"topic":"/subscriptions/x","subject":"/blobServices/default/containers/photos/blobs/in/a.jpg","eventType":"Microsoft.Storage.BlobCreated","id":"1","data":{"contentLength":6},"dataVersion":"","metadataVersion":"1"}`
	e := decodeOne(t, source, request("Notification", "["+created+"]"))
	wantJSON(t, e.Payload, created)
	if e.Name != "Microsoft.Storage.BlobCreated" || e.Subject != "photos/in/a.jpg" || e.Source != "eventgrid" {
		t.Errorf("event = %+v", e)
	}
	if d, err := source.Decode(t.Context(), request("SubscriptionDeletion", `[{}]`)); err != nil || len(d.Events) > 0 {
		t.Errorf("a deletion gives %+v, %v", d, err)
	}
	for _, r := range []*Request{
		request("SubscriptionValidation", `[]`), request("SubscriptionValidation", `[{"data":{}}]`), request("SubscriptionValidation", `[1]`),
		request("Notification", `{}`), request("Notification", `[{}]`), request("Notification", `[null]`), request("", `[]`),
	} {
		wantError(t, source, r, ErrMalformed, "")
	}
	stranger := request("SubscriptionValidation", `[]`)
	stranger.Header.Del("Authorization")
	wantError(t, source, stranger, ErrUnauthorized, "no token")
}

func TestEventBridgesEventsPassUnchanged(t *testing.T) {
	source := newSource(t, "eventbridge", Config{Tokens: []string{"t"}})
	const event = `{"version":"0","id":"17793124","detail-type":"Object Created","source":"aws.s3","account":"111122223333","time":"2021-11-12T00:00:00Z","region":"ca-central-1","resources":["arn:aws:s3:::b"],"detail":{"version":"0","bucket":{"name":"b"},"object":{"key":"a b+c.jpg","size":5,"sequencer":"00"}}}`
	e := decodeOne(t, source, post(event, "Authorization", "Bearer t"))
	if string(e.Payload) != event || e.Name != "Object Created" || e.Key != "a b+c.jpg" || e.Subject != "b/a b+c.jpg" || e.Once == "" {
		t.Errorf("event = %+v", e)
	}
	other := decodeOne(t, source, post(strings.Replace(event, "aws.s3", "my.app", 1), "Authorization", "Bearer t"))
	if other.Subject != "my.app" || other.Bucket != "" {
		t.Errorf("event = %+v", other)
	}
	for _, body := range []string{`{}`, `[]`, strings.Replace(event, `"detail":`, `"detale":`, 1)} {
		wantError(t, source, post(body, "Authorization", "Bearer t"), ErrMalformed, "")
	}
	wantError(t, source, post(event), ErrUnauthorized, "no token")
}

// FuzzSources gives the same bytes to every source that reads an open body.
func FuzzSources(f *testing.F) {
	f.Add("application/cloudevents+json", "Notification", []byte(`{"specversion":"1.0","id":"1","source":"s","type":"t"}`))
	f.Add("application/cloudevents-batch+json", "", []byte(`[{}]`))
	f.Add("application/json", "SubscriptionValidation", []byte(`[{"data":{"validationCode":"c"}}]`))
	f.Add("text/plain", "Notification", []byte(`[{"id":"1","subject":"/blobServices/default/containers/a/blobs/b","eventType":"e"}]`))
	f.Add("", "", []byte(`{"id":"1","source":"aws.s3","detail-type":"d","detail":{"bucket":{"name":"b"},"object":{"key":"k"}}}`))
	var sources []Source
	for _, name := range []string{"cloudevents", "eventgrid", "eventbridge", "generic"} {
		sources = append(sources, newSource(f, name, Config{Open: true}))
	}
	f.Fuzz(func(t *testing.T, contentType, kind string, body []byte) {
		for i, source := range sources {
			r := post(string(body), "Content-Type", contentType, "Aeg-Event-Type", kind, "Ce-Id", kind, "Ce-Type", "t", "Ce-Source", "s", "Ce-Specversion", "1.0")
			d, err := source.Decode(t.Context(), r)
			if err != nil && Status(err) >= 500 {
				t.Errorf("source %d: status %d: %v", i, Status(err), err)
			}
			for _, e := range d.Events {
				if _, err := decodeJSON(e.Payload); err != nil && i != 0 {
					t.Errorf("source %d gives %q: %v", i, e.Payload, err)
				}
				if e.Key != "" && e.Subject != e.Bucket+"/"+e.Key {
					t.Errorf("source %d gives %+v", i, e)
				}
			}
		}
	})
}
