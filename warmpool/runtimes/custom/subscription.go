package custom

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A subscription is what an extension asks for.
// https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api-reference.html
type subscription struct {
	SchemaVersion string   `json:"schemaVersion"`
	Types         []string `json:"types"`
	Buffering     struct {
		MaxItems  *int `json:"maxItems"`
		MaxBytes  *int `json:"maxBytes"`
		TimeoutMs *int `json:"timeoutMs"`
	} `json:"buffering"`
	Destination struct {
		Protocol string `json:"protocol"`
		URI      string `json:"URI"`
		Port     int    `json:"port"`
		Method   string `json:"method"`
		Encoding string `json:"encoding"`
	} `json:"destination"`
}

// hosts are the names that an environment has for itself.
var hosts = []string{"sandbox", "sandbox.local", "sandbox.localdomain"}

// check makes a subscriber of what is asked for. The text says what is wrong with it.
func (in *subscription) check(api string) (*subscriber, string) {
	s := &subscriber{types: in.Types, schema: in.SchemaVersion, legacy: api == apiLogs}
	var wrong []string
	schemas := []string{telemetrySchema, "2022-12-13", "2025-01-29"}
	if s.legacy {
		schemas = []string{logsSchema, logsSchemaDone}
		if s.schema == "" {
			s.schema = logsSchema
		}
	}
	if !slices.Contains(schemas, s.schema) {
		wrong = append(wrong, fmt.Sprintf("schemaVersion %.32q is not one of %s", s.schema, strings.Join(schemas, ", ")))
	}
	if len(in.Types) == 0 {
		wrong = append(wrong, "types should not be empty")
	}
	for _, kind := range in.Types {
		if !slices.Contains([]string{typePlatform, typeFunction, typeExtension}, kind) {
			wrong = append(wrong, fmt.Sprintf("type %.32q is not one of platform, function, extension", kind))
		}
	}
	bounded := func(name string, value *int, usual, least, most int) int {
		if value == nil {
			return usual
		}
		if *value < least || *value > most {
			wrong = append(wrong, fmt.Sprintf("%s should be from %d to %d", name, least, most))
		}
		return *value
	}
	s.maxItems = bounded("maxItems", in.Buffering.MaxItems, 10000, 1000, 10000)
	s.maxBytes = bounded("maxBytes", in.Buffering.MaxBytes, 256<<10, 256<<10, 1<<20)
	s.timeout = time.Duration(bounded("timeoutMs", in.Buffering.TimeoutMs, 1000, 25, 30000)) * time.Millisecond
	wrong = append(wrong, in.destination(s)...)
	return s, strings.Join(wrong, "; ")
}

// destination reads where the events go.
func (in *subscription) destination(s *subscriber) (wrong []string) {
	d := &in.Destination
	port := d.Port
	switch d.Protocol {
	case "HTTP":
		to, err := url.Parse(d.URI)
		if err != nil || to.Scheme != "http" || !slices.Contains(hosts, to.Hostname()) || to.User != nil {
			return append(wrong, "URI should begin with http://sandbox.localdomain:")
		}
		if to.Port() == "" {
			return append(wrong, "URI port is not provided")
		}
		port, _ = strconv.Atoi(to.Port()) // url.Parse takes digits only
		s.uri, s.method = to.String(), http.MethodPost
		switch d.Method {
		case "", http.MethodPost:
		case http.MethodPut:
			s.method = http.MethodPut
		default:
			wrong = append(wrong, "method should be POST or PUT")
		}
	case "TCP":
		s.tcp = true
		if to, err := url.Parse(d.URI); port == 0 && err == nil {
			port, _ = strconv.Atoi(to.Port())
		}
	default:
		return append(wrong, "protocol should be HTTP or TCP")
	}
	if d.Encoding != "" && d.Encoding != "JSON" {
		wrong = append(wrong, "encoding should be JSON")
	}
	// The last is the Runtime API's.
	if port < 1 || port > 65535 || port == 9001 {
		wrong = append(wrong, "port should be from 1 to 65535, and not 9001")
	}
	s.port = uint16(port)
	return wrong
}

// The two ways to subscribe.
const (
	apiTelemetry = "Telemetry"
	apiLogs      = "Logs"
)

// subscribe makes the endpoint of one of them. Statuses and types are those of Lambda's
// emulator.
// https://github.com/aws/aws-lambda-runtime-interface-emulator/blob/develop/internal/lambda/rapi/handler/runtimelogs.go
func (b *Bridge) subscribe(api string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		e := b.caller(w, r)
		b.mu.Unlock()
		if e == nil {
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxError))
		var in subscription
		if err == nil {
			err = json.Unmarshal(body, &in)
		}
		if err != nil {
			refuse(w, http.StatusBadRequest, "ValidationError", "the body is no JSON object of a subscription: "+err.Error())
			return
		}
		s, wrong := in.check(api)
		if wrong != "" {
			refuse(w, http.StatusBadRequest, "ValidationError", wrong)
			return
		}
		s.extension, s.dial = e.name, b.process.Dial
		s.wake, s.changed = make(chan struct{}, 1), make(chan struct{})
		s.ctx, s.cancel = context.WithCancel(context.Background())
		if !b.telemetry.subscribe(s, func() { b.senders.Go(s.run) }) {
			s.cancel()
			refuse(w, http.StatusForbidden, api+".SubscriptionClosed", api+" API subscription is closed already")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `"OK"`)
	}
}
