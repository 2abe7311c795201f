package apigateway

import (
	"encoding/json"
	"testing"
	"time"
)

// The shapes are those that AWS documents; see AppendConnect.
func TestEventsOfSocketsAreThoseOfAWS(t *testing.T) {
	at := time.Date(2026, 2, 9, 18, 11, 43, 419e6, time.UTC)
	s := Socket{ConnectionID: "c", ConnectedAt: at, APIID: "api", Stage: "prod", Domain: "h:8080", SourceIP: "192.0.2.1", UserAgent: `a"b`}
	m := SocketMoment{RouteKey: "$disconnect", RequestID: "r", Time: at.Add(time.Millisecond), Variables: SocketVariables(map[string]string{"b": "2", "a": "1"})}
	const context = `"extendedRequestId":"r","requestTime":"09/Feb/2026:18:11:43 +0000","messageDirection":"IN","stage":"prod",` +
		`"connectedAt":1770660703419,"requestTimeEpoch":1770660703420,"identity":{"userAgent":"a\"b","sourceIp":"192.0.2.1"},` +
		`"requestId":"r","domainName":"h:8080","connectionId":"c","apiId":"api"},"stageVariables":{"a":"1","b":"2"}`
	want := `{"headers":{"Host":"h:8080","x-api-key":"","X-Forwarded-For":"","x-restapi":""},` +
		`"multiValueHeaders":{"Host":["h:8080"],"x-api-key":[""],"X-Forwarded-For":[""],"x-restapi":[""]},` +
		`"requestContext":{"routeKey":"$disconnect","eventType":"DISCONNECT","disconnectStatusCode":1001,"disconnectReason":"Going away",` +
		context + `,"isBase64Encoded":false}`
	if got := string(s.AppendDisconnect(nil, 1001, "Going away", &m)); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	m.RouteKey = "say"
	want = `{"requestContext":{"routeKey":"say","eventType":"MESSAGE","messageId":"m",` + context + `,"body":"a\n\"ä","isBase64Encoded":false}`
	if got := string(s.AppendMessage(nil, "m", true, []byte("a\n\"ä"), &m)); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if got := string(AppendSocketError(nil, "Forbidden", "c", "r")); got != `{"message": "Forbidden", "connectionId":"c", "requestId":"r"}` {
		t.Error(got)
	}
}

func FuzzSocketMessage(f *testing.F) {
	f.Add([]byte("text"), true)
	f.Add([]byte{0xff, 0}, true)
	f.Add([]byte("\u2028\x00"), false)
	f.Fuzz(func(t *testing.T, message []byte, text bool) {
		var e struct {
			Body            []byte
			IsBase64Encoded bool
		}
		var plain struct{ Body string }
		event := new(Socket).AppendMessage(nil, "m", text, message, &SocketMoment{})
		if !json.Valid(event) {
			t.Fatalf("%q makes %s", message, event)
		}
		_ = json.Unmarshal(event, &e)
		_ = json.Unmarshal(event, &plain)
		if e.IsBase64Encoded && string(e.Body) != string(message) || !e.IsBase64Encoded && plain.Body != string(message) {
			t.Errorf("%q comes as %s", message, event)
		}
	})
}
