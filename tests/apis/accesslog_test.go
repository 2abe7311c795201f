package apis

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// A line is a line of the access log in the server's own log.
type line struct {
	Logger, API, Stage string
	Request            json.RawMessage
}

// accessLines are the lines of an API's access log.
func accessLines(t *testing.T, s *harness.Server, api string) (all []line) {
	t.Helper()
	for text := range strings.Lines(s.Output()) {
		var l line
		if strings.Contains(text, "hearth_api.access") && json.Unmarshal([]byte(text), &l) == nil && l.API == api {
			all = append(all, l)
		}
	}
	return all
}

func TestEachRequestIsLoggedAndCounted(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	s.Configure(functions(s, "f")+harness.NodeFunction("guard", s.Code("guard", map[string]string{"index.js": guard}), "")+`authorizer simple lambda guard {
	identity_source $request.header.X-User
}
usage_plan partners {
	quota 1 per month
	key acme `+acmeKey+`
}
`, `handle /metrics {
	metrics
}
handle /rest/* {
	api old rest {
		access_log "$context.status $context.routeKey [$context.error.responseType] $context.identity.apiKey $context.identity.apiKeyId"
		GET /rest/items f {
			usage_plan partners
		}
	}
}
handle {
	api shop {
		stage live
		access_log `+"`"+`{"id":"$context.requestId","status":$context.status,"key":"$context.routeKey","length":$context.responseLength,`+
		`"agent":"$context.identity.userAgent","who":"$context.authorizer.who","stage":"$context.stage","took":$context.responseLatency,`+
		`"integration":"$context.integrationLatency","error":"$context.error.message"}`+"`"+`
		GET /items/{id} f {
			authorizer simple
		}
	}
}`)
	s.Start()
	get := func(path, who string) harness.Response {
		r := s.Request("GET", path, nil)
		r.Header.Set("User-Agent", "a\"b\\")
		if who != "" {
			r.Header.Set("X-User", who)
		}
		return s.Do(r)
	}
	answer := get("/items/7", "me")
	get("/items/7", "thief").Want(t, 403, "Forbidden")
	get("/elsewhere", "").Want(t, 404, "Not Found")
	harness.Eventually(t, "three requests are logged", func() bool { return len(accessLines(t, s, "shop")) == 3 })
	type of struct {
		ID, Key, Agent, Who, Stage, Integration, Error string
		Status, Length                                 int
		Took                                           *int
	}
	var lines [3]of
	for n, l := range accessLines(t, s, "shop") {
		if err := json.Unmarshal(l.Request, &lines[n]); err != nil || l.Stage != "live" || l.Logger != "http.handlers.hearth_api.access" {
			t.Errorf("%+v: %v", l, err)
		}
	}
	first := lines[0]
	if first.ID != answer.Header.Get("X-Amzn-Requestid") || first.Status != 200 || first.Length != len(answer.Body) || first.Key != "GET /items/{id}" ||
		first.Agent != `a"b\` || first.Who != "me" || first.Stage != "live" || first.Took == nil || first.Integration == "-" || first.Error != "-" {
		t.Errorf("%+v", first)
	}
	if l := lines[1]; l.Status != 403 || l.Who != "-" || l.Integration != "-" || l.Error != "Forbidden" || l.ID == "" {
		t.Errorf("%+v", l)
	}
	if l := lines[2]; l.Status != 404 || l.Key != "-" || l.Error != "Not Found" {
		t.Errorf("%+v", l)
	}
	for _, key := range []string{"", acmeKey, acmeKey} {
		withKey(s, "/rest/items", key)
	}
	harness.Eventually(t, "three requests are logged", func() bool { return len(accessLines(t, s, "old")) == 3 })
	var rest []string
	for _, l := range accessLines(t, s, "old") {
		rest = append(rest, string(l.Request))
	}
	masked := strings.Repeat("*", len(acmeKey)-4) + acmeKey[len(acmeKey)-4:]
	if got, want := strings.Join(rest, "\n"), `"403 GET /rest/items [INVALID_API_KEY] - -"
"200 GET /rest/items [-] `+masked+` acme"
"429 GET /rest/items [QUOTA_EXCEEDED] `+masked+` acme"`; got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	counted := s.Get("/metrics").Body
	for _, want := range []string{
		`hearth_api_requests_total{api="shop",route="GET /items/{id}",stage="live"} 2`,
		`hearth_api_requests_total{api="shop",route="",stage="live"} 1`,
		`hearth_api_errors_total{api="shop",class="4XX",route="GET /items/{id}",stage="live"} 1`,
		`hearth_api_errors_total{api="old",class="4XX",route="GET /rest/items",stage="prod"} 2`,
		`hearth_api_latency_seconds_count{api="shop",route="GET /items/{id}",stage="live"} 2`,
		`hearth_api_integration_latency_seconds_count{api="shop",route="GET /items/{id}",stage="live"} 1`,
	} {
		if !strings.Contains(counted, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	s.Reload()
	if !strings.Contains(s.Get("/metrics").Body, `hearth_api_requests_total{api="shop",route="GET /items/{id}",stage="live"} 2`) {
		t.Error("a reload loses the count")
	}
}
