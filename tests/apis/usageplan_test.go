package apis

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

const (
	acmeKey  = "acme-0123456789abcdef"
	otherKey = "other-0123456789abcdef"
)

// withKey sends a request with an API key.
func withKey(s *harness.Server, path, key string) harness.Response {
	r := s.Request("GET", path, nil)
	if key != "" {
		r.Header.Set("X-Api-Key", key)
	}
	return s.Do(r)
}

func TestAPIKeysOpenRoutesUpToTheirQuota(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	plans := fmt.Sprintf(`usage_plan partners {
	quota 3 per month
	key acme %s
}
usage_plan slow {
	rate 0.001
	burst 1
	key other %s
}
authorizer giver lambda giver
`, acmeKey, otherKey)
	giver := harness.NodeFunction("giver", s.Code("giver", map[string]string{"index.js": `exports.handler = async (e) => ({
  isAuthorized: true, usageIdentifierKey: e.identitySource[0] === 'globe' ? 'none' : '` + otherKey + `' });`}), "")
	site := `handle /rest/* {
	api old rest {
		GET /rest/items f {
			usage_plan partners slow
		}
	}
}
handle /given/* {
	api given {
		api_key_source authorizer
		GET /given/items f {
			authorizer giver
			usage_plan slow
		}
	}
}
handle {
	api web {
		GET /open f
		GET /items f {
			usage_plan slow
		}
	}
}`
	s.Configure(functions(s, "f")+giver+plans, site)
	s.Start()
	for who, status := range map[string]int{"globe": 403, "other": 200} {
		r := s.Request("GET", "/given/items", nil)
		r.Header.Set("Authorization", who)
		r.Header.Set("X-Api-Key", acmeKey) // which does not count here
		s.Do(r).Want(t, status, "")
	}
	const forbidden, limit = `{"message":"Forbidden"}`, `{"message":"Limit Exceeded"}`
	for n, test := range []struct {
		path, key string
		status    int
		body      string
		kind      string
	}{
		{"/open", "", 200, "", ""},
		{"/items", "", 403, forbidden, ""},
		{"/items", acmeKey, 403, forbidden, ""}, // of another plan
		{"/items", otherKey, 429, `{"message":"Too Many Requests"}`, ""},
		{"/rest/items", "", 403, forbidden, "ForbiddenException"},
		{"/rest/items", acmeKey + "x", 403, forbidden, "ForbiddenException"},
		{"/rest/items", strings.Repeat("x", 4<<10), 403, forbidden, "ForbiddenException"},
		{"/rest/items", otherKey, 429, `{"message":"Too Many Requests"}`, "TooManyRequestsException"},
		{"/rest/items", acmeKey, 200, "", ""},
		{"/rest/items", acmeKey, 200, "", ""},
	} {
		got := withKey(s, test.path, test.key)
		if got.Status != test.status || test.body != "" && got.Body != test.body || got.Header.Get("X-Amzn-Errortype") != test.kind {
			t.Errorf("%d: %s by %.30q: %d %s %s, want %+v", n, test.path, test.key, got.Status, got.Header.Get("X-Amzn-Errortype"), got.Body, test)
		}
	}
	// What was counted outlives a reload and a crash.
	s.Configure(functions(s, "f")+giver+plans, site+"\nrespond /none none")
	s.Reload()
	got := withKey(s, "/rest/items", acmeKey)
	var told struct {
		Event struct {
			RequestContext struct {
				Identity struct{ APIKey, APIKeyID string }
			}
		}
	}
	if err := json.Unmarshal([]byte(got.Body), &told); err != nil || got.Status != 200 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if id := told.Event.RequestContext.Identity; id.APIKey != acmeKey || id.APIKeyID != "acme" {
		t.Errorf("%+v", id)
	}
	s.Kill()
	s.Restarted()
	got = withKey(s, "/rest/items", acmeKey)
	if got.Status != 429 || got.Body != limit || got.Header.Get("X-Amzn-Errortype") != "LimitExceededException" {
		t.Errorf("%d %v %s", got.Status, got.Header, got.Body)
	}
	if strings.Contains(s.Output(), acmeKey) {
		t.Error("a key is in the log")
	}
}

func TestNodesCountAQuotaTogether(t *testing.T) {
	harness.Parallel(t)
	redis := harness.NewRedis(t)
	var nodes []*harness.Server
	for range 2 {
		s := harness.NewServer(t, "", "")
		s.Configure(harness.RedisOption(redis.URL())+functions(s, "f")+`usage_plan partners {
	quota 5 per month
	key acme `+acmeKey+`
}
`, `api web {
	GET /items f {
		usage_plan partners
	}
}`)
		nodes = append(nodes, s.Start())
	}
	for n := range 8 {
		want := 200
		if n >= 5 {
			want = 429
		}
		if got := withKey(nodes[n%2], "/items", acmeKey); got.Status != want {
			t.Errorf("call %d: %d %s, want %d", n, got.Status, got.Body, want)
		}
	}
}
