package apis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/hearthfn/hearth/tests/harness"
)

// A provider is the example server of zitadel/oidc, whose service user gets tokens that are
// JWTs.
type provider struct {
	t      *testing.T
	issuer string
	server *http.Server
}

type jwtStorage struct{ *storage.Storage }

type jwtClient struct{ op.Client }

func (jwtClient) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }

func (s jwtStorage) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	client, err := s.Storage.ClientCredentials(ctx, id, secret)
	return jwtClient{client}, err
}

// GetPrivateClaimsFromScopes has the token name its scopes, as other providers do.
func (jwtStorage) GetPrivateClaimsFromScopes(_ context.Context, _, _ string, scopes []string) (map[string]any, error) {
	return map[string]any{"scope": strings.Join(scopes, " ")}, nil
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{t: t, issuer: fmt.Sprintf("http://localhost:%d/", listener.Addr().(*net.TCPAddr).Port)}
	store := jwtStorage{storage.NewStorage(storage.NewUserStore(p.issuer))}
	p.server = &http.Server{Handler: exampleop.SetupServer(p.issuer, store, nil, false)}
	ended := make(chan error, 1)
	go func() { ended <- p.server.Serve(listener) }()
	t.Cleanup(func() {
		p.server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return p
}

// token gets a token with scopes, for sid1.
func (p *provider) token(scopes string) string {
	p.t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {scopes}}
	r, err := http.NewRequestWithContext(p.t.Context(), "POST", p.issuer+"oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("sid1", "verysecret")
	got, err := harness.Try(r)
	if err != nil {
		p.t.Fatal(err)
	}
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(got.Body), &answer); err != nil || strings.Count(answer.Token, ".") != 2 {
		p.t.Fatalf("no JWT: %d %s", got.Status, got.Body)
	}
	return answer.Token
}

func TestTokensOfAnOpenIDProviderOpenRoutes(t *testing.T) {
	harness.Parallel(t)
	p := newProvider(t)
	s := harness.NewServer(t, "", "")
	authorizers := fmt.Sprintf(`authorizer users jwt {
	issuer %s
	audience sid1
}
authorizer strangers jwt {
	issuer %[1]s
	audience bank
}
authorizer away jwt {
	issuer http://127.0.0.1:1
	audience sid1
}
`, p.issuer)
	site := `api shop {
	GET /open f
	GET /mine f {
		authorizer users
	}
	GET /old f {
		payload 1.0
		authorizer users
	}
	GET /items f {
		authorizer users read:items write:items
	}
	GET /bank f {
		authorizer strangers
	}
	GET /away f {
		authorizer away
	}
}`
	s.Configure(functions(s, "f")+authorizers, site)
	s.Start()
	token := p.token("openid read:items")
	get := func(path, token string) harness.Response {
		r := s.Request("GET", path, nil)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		return s.Do(r)
	}
	for _, test := range []struct {
		path, token string
		status      int
		body        string
		challenge   string
	}{
		{"/open", "", 200, "", ""},
		{"/mine", "", 401, `{"message":"Unauthorized"}`, "Bearer"},
		{"/mine", "nonsense", 401, `{"message":"Unauthorized"}`, `Bearer error="invalid_token"`},
		{"/mine", token[:len(token)-4] + "AAAA", 401, `{"message":"Unauthorized"}`, `Bearer error="invalid_token"`},
		{"/bank", token, 401, `{"message":"Unauthorized"}`, ""},
		{"/items", p.token("openid"), 403, `{"message":"Forbidden"}`, `Bearer scope="read:items write:items" error="insufficient_scope"`},
		{"/away", token, 503, `{"message":"Service Unavailable"}`, ""},
	} {
		got := get(test.path, test.token)
		if got.Status != test.status || test.body != "" && got.Body != test.body || test.challenge != "" && got.Header.Get("Www-Authenticate") != test.challenge {
			t.Errorf("%s: %d %s %q, want %+v", test.path, got.Status, got.Body, got.Header.Get("Www-Authenticate"), test)
		}
	}
	type authorizer struct {
		JWT struct {
			Claims map[string]string
			Scopes []string
		}
		Claims map[string]string
	}
	told := func(path string) (a authorizer) {
		answer := read(t, get(path, token))
		if err := json.Unmarshal(answer.Event.RequestContext.Authorizer, &a); err != nil {
			t.Errorf("%s: %s: %v", path, answer.Event.RequestContext.Authorizer, err)
		}
		return a
	}
	if a := told("/mine"); a.JWT.Claims["sub"] != "sid1" || a.JWT.Claims["iss"] != p.issuer || a.JWT.Claims["aud"] != "[sid1]" || a.JWT.Scopes != nil {
		t.Errorf("%+v", a)
	}
	if a := told("/items"); strings.Join(a.JWT.Scopes, " ") != "read:items" {
		t.Errorf("%+v", a)
	}
	if a := told("/old"); a.Claims["sub"] != "sid1" {
		t.Errorf("%+v", a)
	}
	// The provider goes away, and the configuration changes: the last keys go on.
	p.server.Close()
	s.Configure(functions(s, "f")+authorizers, site+"\nrespond /none none")
	s.Reload()
	if a := told("/mine"); a.JWT.Claims["sub"] != "sid1" {
		t.Errorf("after a reload: %+v", a)
	}
}
