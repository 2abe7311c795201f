package custom

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestSubscriptionsThatAskForTooMuchAreRefused(t *testing.T) {
	const rest = `"types":["platform"],"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:80/x"}`
	for body, want := range map[string]string{
		`{"schemaVersion":"2022-12-13",` + rest + `}`:                                                                                 "",
		`{"schemaVersion":"2022-12-13",` + rest + `,"buffering":{"maxItems":1000,"maxBytes":1048576,"timeoutMs":30000}}`:              "",
		`{"schemaVersion":"2021-03-18",` + rest + `}`:                                                                                 `schemaVersion "2021-03-18" is not one of 2022-07-01, 2022-12-13, 2025-01-29`,
		`{"schemaVersion":"2022-12-13",` + rest + `,"buffering":{"maxItems":999,"maxBytes":1048577,"timeoutMs":24}}`:                  "maxItems should be from 1000 to 10000; maxBytes should be from 262144 to 1048576; timeoutMs should be from 25 to 30000",
		`{"schemaVersion":"2022-12-13","types":["x"],"destination":{"protocol":"HTTP","URI":"http://sandbox:1"}}`:                     `type "x" is not one of platform, function, extension`,
		`{"schemaVersion":"2022-12-13","types":["platform"],"destination":{"protocol":"HTTP","URI":"http://169.254.169.254:80"}}`:     "URI should begin with http://sandbox.localdomain:",
		`{"schemaVersion":"2022-12-13","types":["platform"],"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain"}}`:    "URI port is not provided",
		`{"schemaVersion":"2022-12-13","types":["platform"],"destination":{"protocol":"TCP","port":9001}}`:                            "port should be from 1 to 65535, and not 9001",
		`{"schemaVersion":"2022-12-13","types":["platform"],"destination":{"protocol":"TCP","port":65536}}`:                           "port should be from 1 to 65535, and not 9001",
		`{"schemaVersion":"2022-12-13","types":["platform"],"destination":{"protocol":"UDP","port":1}}`:                               "protocol should be HTTP or TCP",
		`{"schemaVersion":"2022-12-13","types":["platform"],"destination":{"protocol":"TCP","port":1,"encoding":"XML"}}`:              "encoding should be JSON",
		`{"schemaVersion":"2022-12-13","types":["platform"],"destination":{"protocol":"HTTP","URI":"http://sandbox:1","method":"X"}}`: "method should be POST or PUT",
	} {
		var in subscription
		if err := json.Unmarshal([]byte(body), &in); err != nil {
			t.Fatal(err)
		}
		if _, got := in.check(apiTelemetry); got != want {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
}

// subscribed is a subscriber to telemetry whose extension listens at address.
func subscribed(t *testing.T, telemetry *Telemetry, dial dialer, tcp bool) *subscriber {
	t.Helper()
	s := &subscriber{
		extension: "witness", types: []string{typePlatform, typeFunction}, schema: "2022-12-13", maxItems: 1000, maxBytes: 256 << 10, timeout: time.Hour,
		tcp: tcp, method: http.MethodPost, uri: "http://sandbox:1/", port: 1, dial: dial, wake: make(chan struct{}, 1), changed: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	done := make(chan struct{})
	if !telemetry.subscribe(s, func() {
		go func() {
			s.run()
			close(done)
		}()
	}) {
		t.Fatal("it is too late")
	}
	t.Cleanup(func() {
		telemetry.end()
		<-done
	})
	return s
}

func TestExtensionThatFallsBehindIsToldWhatItMisses(t *testing.T) {
	batches := make(chan []map[string]any, 100)
	let, reached := make(chan struct{}), make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached <- struct{}{}
		<-let
		var batch []map[string]any
		if err := json.NewDecoder(r.Body).Decode(&batch); err != nil {
			t.Error(err)
		}
		batches <- batch
	}))
	defer server.Close()
	telemetry := NewTelemetry()
	dial := func(ctx context.Context, _ uint16) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}
	telemetry.Output(time.Now(), []byte("before it subscribes"), false, false)
	subscribed(t, telemetry, dial, false)
	telemetry.close()
	const lines = 20000
	line := bytes.Repeat([]byte("x"), 100)
	began := time.Now()
	for n := range lines {
		telemetry.Output(time.Now(), line, false, false)
		if n == 1000 {
			<-reached // it has the first batch, and no more is taken before it has answered
		}
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("to push took %s", took)
	}
	close(let)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	telemetry.flush(ctx)
	telemetry.end()
	close(batches)
	got, dropped, first := 0, 0, ""
	for batch := range batches {
		for _, event := range batch {
			if first == "" {
				first = fmt.Sprint(event["record"])
			}
			switch event["type"] {
			case "function":
				got++
			case "platform.logsDropped":
				dropped += int(event["record"].(map[string]any)["droppedRecords"].(float64))
			}
		}
	}
	if got+dropped != lines+1 || dropped == 0 || first != "before it subscribes" {
		t.Errorf("got %d events and was told of %d dropped, of %d; the first is %q", got, dropped, lines+1, first)
	}
}

func TestTelemetryIsHandedOverAgainWhenTheExtensionWasNotThere(t *testing.T) {
	ours, theirs := net.Pipe()
	telemetry := NewTelemetry()
	tries := 0
	s := subscribed(t, telemetry, func(context.Context, uint16) (net.Conn, error) {
		if tries++; tries < 3 {
			return nil, errors.New("refused")
		}
		return ours, nil
	}, true)
	telemetry.Output(time.Now(), []byte(`{"a":1}`), false, true)
	s.hasten()
	got := make([]byte, 64<<10)
	var text strings.Builder
	for strings.Count(text.String(), "\n") < 2 {
		n, err := theirs.Read(got)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(got[:n])
	}
	if !strings.Contains(text.String(), `"record":{"a":1}}`+"\n") {
		t.Errorf("got %s", text.String())
	}
	theirs.Close()
}

func TestRecordsOfTheFirstSchemaAreText(t *testing.T) {
	telemetry := NewTelemetry()
	telemetry.Output(time.Now(), []byte(`{"a":1}`), false, true)
	for schema, want := range map[string]string{telemetrySchema: strconv.Quote(`{"a":1}`), "2022-12-13": `{"a":1}`} {
		s := &subscriber{schema: schema}
		if forms := s.forms(telemetry.backlog[0]); len(forms) != 1 || !strings.HasSuffix(string(forms[0]), `"record":`+want+`}`) {
			t.Errorf("%s: got %s, want %s", schema, forms, want)
		}
	}
}

func TestNobodyIsThereWithoutASubscriber(t *testing.T) {
	telemetry := NewTelemetry()
	for range 2 * maxBacklog {
		telemetry.Output(time.Now(), bytes.Repeat([]byte("x"), 1000), false, false)
	}
	if telemetry.size > maxBacklogBytes || len(telemetry.backlog) > maxBacklog {
		t.Errorf("%d events of %d bytes are kept", len(telemetry.backlog), telemetry.size)
	}
	telemetry.close()
	if telemetry.Wants() || telemetry.backlog != nil {
		t.Error("it goes on though nobody has subscribed")
	}
}
