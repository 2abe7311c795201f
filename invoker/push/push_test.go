package push

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// received is when every request of the tests arrives.
var received = time.Date(2026, 11, 23, 5, 0, 0, 0, time.UTC)

func newSource(t testing.TB, name string, c Config) Source {
	t.Helper()
	source, err := New(name, c)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// post makes a request; header fields are given as name, value, name, value.
func post(body string, fields ...string) *Request {
	r := &Request{Method: http.MethodPost, Query: url.Values{}, Header: http.Header{}, Body: []byte(body), Received: received}
	for i := 0; i+1 < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	return r
}

// captured reads the requests of a file in testdata, which are separated by lines of
// dashes and were sent by the real programs.
func captured(t testing.TB, name string) []*Request {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var requests []*Request
	for _, part := range strings.Split(string(text), "-----\n") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		head, body, _ := strings.Cut(strings.ReplaceAll(part, "\r\n", "\n"), "\n\n")
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n")))
		if err != nil {
			t.Fatal(err)
		}
		requests = append(requests, &Request{
			Method: r.Method, Query: r.URL.Query(), Header: r.Header, Received: received,
			Body: bytes.TrimSuffix([]byte(body), []byte("\n")),
		})
	}
	return requests
}

func decodeOne(t testing.TB, source Source, r *Request) Event {
	t.Helper()
	d, err := source.Decode(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Events) != 1 {
		t.Fatalf("%d events, want 1", len(d.Events))
	}
	return d.Events[0]
}

// record returns the only record of a payload.
func record(t testing.TB, e Event) object {
	t.Helper()
	var p struct{ Records []object }
	decoder := json.NewDecoder(bytes.NewReader(e.Payload))
	if err := decoder.Decode(&p); err != nil {
		t.Fatal(err)
	}
	if len(p.Records) != 1 {
		t.Fatalf("%d records, want 1: %s", len(p.Records), e.Payload)
	}
	return p.Records[0]
}

func wantJSON(t testing.TB, got []byte, want string) {
	t.Helper()
	var g, w any
	if err := errors.Join(json.Unmarshal(got, &g), json.Unmarshal([]byte(want), &w)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func wantError(t testing.TB, source Source, r *Request, want error, text string) {
	t.Helper()
	d, err := source.Decode(t.Context(), r)
	if !errors.Is(err, want) || !strings.Contains(err.Error(), text) {
		t.Errorf("error = %v, want %v: %s", err, want, text)
	}
	if len(d.Events) > 0 {
		t.Error("a refused request has events")
	}
}

func TestConfigThatProvesNothingIsRefused(t *testing.T) {
	tests := []struct {
		source string
		config Config
		want   string
	}{
		{"s3", Config{}, "nothing proves who sends; set a token"},
		{"generic", Config{}, "set a token, or a secret"},
		{"github", Config{}, "set a secret"},
		{"s3", Config{Tokens: []string{""}}, "an empty token"},
		{"github", Config{Secrets: []string{"a", ""}}, "an empty token or secret"},
		{"s3", Config{Open: true, Tokens: []string{"a"}}, "choose one"},
		{"github", Config{Open: true, Secrets: []string{"a"}}, "open has no use here"},
		{"s3", Config{Tokens: []string{"a"}, Secrets: []string{"b"}}, "secret has no use here"},
		{"s3", Config{Topics: []string{"arn:aws:sns:eu-west-1:123456789012:t"}}, "topics without a client"},
		{"github", Config{Secrets: []string{"a"}, Tolerance: time.Minute}, "tolerance has no use"},
		{"standard_webhooks", Config{Secrets: []string{"whsec_AAAA"}}, "24 to 64 bytes"},
		{"standard_webhooks", Config{Secrets: []string{"whpk_AAAA"}}, "32 bytes"},
		{"gitlab", Config{}, `no push source "gitlab"; there are`},
	}
	for _, test := range tests {
		if _, err := New(test.source, test.config); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("New(%s, %+v) = %v, want %q", test.source, test.config, err, test.want)
		}
	}
}

func TestTokenIsTakenFromHeaderOrQuery(t *testing.T) {
	source := newSource(t, "generic", Config{Tokens: []string{"old", "s3cret"}})
	for _, authorization := range []string{"Bearer s3cret", "bearer old"} {
		decodeOne(t, source, post(`{}`, "Authorization", authorization))
	}
	r := post(`{}`)
	r.Query.Set("token", "s3cret")
	decodeOne(t, source, r)

	for _, authorization := range []string{"", "Bearer ", "Bearer s3cre", "Bearer s3cret ", "Basic s3cret", "s3cret"} {
		wantError(t, source, post(`{}`, "Authorization", authorization), ErrUnauthorized, "")
	}
	// A wrong header is not saved by the query.
	r.Header.Set("Authorization", "Bearer wrong")
	wantError(t, source, r, ErrUnauthorized, "wrong token")
}

func TestErrorsHoldNoSecret(t *testing.T) {
	const right, wrong = "right-s3cret", "wrong-s3cret"
	source := newSource(t, "generic", Config{Tokens: []string{right}, Secrets: []string{right}})
	for _, r := range []*Request{
		post(wrong, "Authorization", "Bearer "+wrong),
		post(wrong, "Authorization", wrong, DefaultSignatureHeader, wrong),
		post(wrong, DefaultSignatureHeader, sign(right, wrong), "Authorization", "Bearer "+wrong),
		post(wrong, DefaultSignatureHeader, sign(right, wrong), "Authorization", "Bearer "+right),
	} {
		_, err := source.Decode(t.Context(), r)
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("error = %v", err)
		}
	}
	_, err := Targets(nil, &Event{}, "/events/s3/"+wrong+"!")
	if !errors.Is(err, ErrNoFunction) || strings.Contains(err.Error(), wrong) {
		t.Errorf("error = %v", err)
	}
}

func TestLimitsAreHeld(t *testing.T) {
	source := newSource(t, "generic", Config{Open: true})
	wantError(t, source, post(strings.Repeat(" ", MaxBody+1)), ErrTooLarge, "a body of")
	wantError(t, source, post(strings.Repeat("[", MaxDepth+1)), ErrMalformed, "levels deep")
	wantError(t, source, post(strings.Repeat("[", MaxDepth)+strings.Repeat("]", MaxDepth)+"]"), ErrMalformed, "")
	decodeOne(t, source, post(strings.Repeat("[", MaxDepth)+strings.Repeat("]", MaxDepth)))
	decodeOne(t, source, post(`"\"[[[[`+strings.Repeat("[", MaxDepth)+`"`))
	r := post(`{}`)
	for range MaxHeaders + 1 {
		r.Header.Add("X", "y")
	}
	wantError(t, source, r, ErrTooLarge, "header fields")
	for _, body := range []string{"", " ", "hello", `{"a":}`, `{} {}`, "\xff", `{"a":"` + "\xc3" + `"}`} {
		wantError(t, source, post(body), ErrMalformed, "")
	}
	get := post(`{}`)
	get.Method = http.MethodGet
	wantError(t, source, get, ErrMethod, "POST")
}

func TestEveryErrorHasAStatus(t *testing.T) {
	for err, want := range map[error]int{
		ErrMalformed: 400, ErrUnauthorized: 401, ErrForbidden: 403, ErrNoFunction: 404, ErrMethod: 405,
		ErrTooLarge: 413, ErrMediaType: 415, ErrUnavailable: 503, io.EOF: 500,
	} {
		if got := Status(errors.Join(errors.New("x"), err)); got != want {
			t.Errorf("Status(%v) = %d, want %d", err, got, want)
		}
	}
}

func TestEveryNameIsASource(t *testing.T) {
	topics := Config{Topics: []string{"arn:aws:sns:eu-west-1:123456789012:photos"}, SNS: &snsService{}}
	for _, name := range Names() {
		built := 0
		for _, c := range []Config{{Open: true}, {Secrets: []string{"whsec_" + strings.Repeat("AAAA", 8)}}, topics} {
			if _, err := New(name, c); err == nil {
				built++
			}
		}
		if built == 0 {
			t.Errorf("no configuration makes a source of %q", name)
		}
	}
}
