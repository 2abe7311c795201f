package authorizer

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// An issuer is an OpenID Connect issuer that can be made to fail.
type issuer struct {
	*httptest.Server
	mu      sync.Mutex
	keys    []jose.JSONWebKey
	junk    string // what the key set is instead
	away    bool
	fetches atomic.Int32 // of keys
}

func newIssuer(t *testing.T) *issuer {
	i := new(issuer)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		switch {
		case i.away:
			http.Error(w, "away", http.StatusServiceUnavailable)
		case r.URL.Path == "/.well-known/openid-configuration":
			fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, i.URL, i.URL+"/keys")
		case i.junk != "":
			i.fetches.Add(1)
			fmt.Fprint(w, i.junk)
		default:
			i.fetches.Add(1)
			_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: i.keys})
		}
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) set(change func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change()
}

// publish makes the public half of a key known.
func (i *issuer) publish(id string, key any, algorithm jose.SignatureAlgorithm) {
	i.set(func() {
		private := jose.JSONWebKey{Key: key, KeyID: id, Algorithm: string(algorithm), Use: "sig"}
		i.keys = append(i.keys, private.Public())
	})
}

func sign(t *testing.T, id string, key any, algorithm jose.SignatureAlgorithm, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// A clock goes only when it is told to.
type clock struct{ atomic.Int64 }

func (c *clock) now() time.Time { return time.Unix(c.Load(), 0) }

func newJWT(t *testing.T, i *issuer, sources ...Source) (*JWT, *clock) {
	t.Helper()
	c := new(clock)
	c.Store(1_800_000_000)
	keys := NewKeySet(KeySource{Issuer: i.URL})
	keys.now = c.now
	t.Cleanup(keys.Close)
	j, err := NewJWT(keys, []string{"shop"}, sources...)
	if err != nil {
		t.Fatal(err)
	}
	j.now = c.now
	return j, c
}

func bearer(token string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// denied is the status that a request is refused with, 200 if it is not.
func denied(t *testing.T, err error) (int, string) {
	t.Helper()
	if err == nil {
		return http.StatusOK, ""
	}
	var d *Denial
	if !errors.As(err, &d) {
		t.Fatalf("%v is no denial", err)
	}
	return d.Status, d.Challenge
}

// right are claims that let a request through at the clock's first time.
func right(i *issuer, change map[string]any) map[string]any {
	claims := map[string]any{"iss": i.URL, "aud": "shop", "exp": 1_800_000_100, "sub": "ada"}
	for name, value := range change {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	return claims
}

func TestTokensOfEveryAlgorithmAreChecked(t *testing.T) {
	i := newIssuer(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	curve := func(c elliptic.Curve) *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	for algorithm, key := range map[jose.SignatureAlgorithm]any{
		jose.RS256: rsaKey, jose.RS384: rsaKey, jose.RS512: rsaKey, jose.PS256: rsaKey, jose.PS384: rsaKey, jose.PS512: rsaKey,
		jose.ES256: curve(elliptic.P256()), jose.ES384: curve(elliptic.P384()), jose.ES512: curve(elliptic.P521()), jose.EdDSA: edKey,
	} {
		i.publish(string(algorithm), key, algorithm)
		j, _ := newJWT(t, i)
		for _, use := range []string{"first", "from the cache"} {
			grant, err := j.Authorize(bearer(sign(t, string(algorithm), key, algorithm, right(i, nil))), nil)
			if err != nil {
				t.Errorf("%s, %s: %v", algorithm, use, err)
				continue
			}
			want := fmt.Sprintf(`{"jwt":{"claims":{"aud":"shop","exp":"1800000100","iss":%q,"sub":"ada"},"scopes":null}}`, i.URL)
			if string(grant.V2) != want {
				t.Errorf("%s: %s, want %s", algorithm, grant.V2, want)
			}
		}
	}
}

func TestTokensThatAreNotRightAreRefused(t *testing.T) {
	i := newIssuer(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := rsa.GenerateKey(rand.Reader, 2048)
	i.publish("k", key, jose.RS256)
	public, _ := x509.MarshalPKIXPublicKey(&key.PublicKey)
	token := func(change map[string]any) string { return sign(t, "k", key, jose.RS256, right(i, change)) }
	good := token(nil)
	parts := strings.Split(good, ".")
	text := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for name, test := range map[string]struct {
		token     string
		scopes    []string
		status    int
		challenge string
	}{
		"right":                   {good, nil, 200, ""},
		"a list of audiences":     {token(map[string]any{"aud": []string{"x", "shop"}}), nil, 200, ""},
		"client_id without aud":   {token(map[string]any{"aud": nil, "client_id": "shop"}), nil, 200, ""},
		"nbf and iat of now":      {token(map[string]any{"nbf": 1_800_000_005, "iat": 1_800_000_005.5}), nil, 200, ""},
		"a scope":                 {token(map[string]any{"scope": "a write:items b"}), []string{"read", "write:items"}, 200, ""},
		"scp as a list":           {token(map[string]any{"scp": []string{"read"}}), []string{"read"}, 200, ""},
		"none":                    {"", nil, 401, "Bearer"},
		"no such scope":           {token(map[string]any{"scope": "a"}), []string{"read", "w"}, 403, `Bearer scope="read w" error="insufficient_scope"`},
		"no scope at all":         {good, []string{"read"}, 403, ""},
		"another issuer":          {token(map[string]any{"iss": "https://evil.example"}), nil, 401, `Bearer error="invalid_token"`},
		"no issuer":               {token(map[string]any{"iss": nil}), nil, 401, ""},
		"another audience":        {token(map[string]any{"aud": "bank"}), nil, 401, ""},
		"client_id beside aud":    {token(map[string]any{"aud": "bank", "client_id": "shop"}), nil, 401, ""},
		"an empty audience":       {token(map[string]any{"aud": []string{}, "client_id": "shop"}), nil, 401, ""},
		"expired":                 {token(map[string]any{"exp": 1_800_000_000}), nil, 401, ""},
		"no end":                  {token(map[string]any{"exp": nil}), nil, 401, ""},
		"an end in words":         {token(map[string]any{"exp": "1800000100"}), nil, 401, ""},
		"not yet":                 {token(map[string]any{"nbf": 1_800_000_011}), nil, 401, ""},
		"of the future":           {token(map[string]any{"iat": 1_800_000_011}), nil, 401, ""},
		"the key of somebody":     {sign(t, "k", other, jose.RS256, right(i, nil)), nil, 401, ""},
		"an unknown key":          {sign(t, "x", other, jose.RS256, right(i, nil)), nil, 401, ""},
		"another algorithm":       {sign(t, "k", key, jose.PS256, right(i, nil)), nil, 401, ""},
		"no key ID":               {sign(t, "", key, jose.RS256, right(i, nil)), nil, 401, ""},
		"HS256 by the public key": {sign(t, "k", public, jose.HS256, right(i, nil)), nil, 401, ""},
		"alg none":                {text(`{"alg":"none","kid":"k"}`) + "." + parts[1] + ".", nil, 401, ""},
		"alg None":                {text(`{"alg":"None","kid":"k"}`) + "." + parts[1] + "." + parts[2], nil, 401, ""},
		"other claims":            {parts[0] + "." + text(`{"iss":"`+i.URL+`","aud":"shop","exp":9999999999}`) + "." + parts[2], nil, 401, ""},
		"no signature":            {parts[0] + "." + parts[1] + ".", nil, 401, ""},
		"half":                    {parts[0], nil, 401, ""},
		"1 MB":                    {strings.Repeat("a", 1<<20), nil, 401, ""},
		"a list":                  {text(`[]`) + "." + text(`[]`) + ".", nil, 401, ""},
	} {
		j, _ := newJWT(t, i)
		_, err := j.Authorize(bearer(test.token), test.scopes)
		status, challenge := denied(t, err)
		if status != test.status || test.challenge != "" && challenge != test.challenge {
			t.Errorf("%s: %d %q (%v), want %d %q", name, status, challenge, err, test.status, test.challenge)
		}
	}
	// A token from the cache ends with its time, and its scopes are checked each time.
	j, c := newJWT(t, i)
	for _, test := range []struct {
		at     int64
		scopes []string
		want   int
	}{{0, nil, 200}, {99, nil, 200}, {99, []string{"a"}, 403}, {100, nil, 401}} {
		c.Store(1_800_000_000 + test.at)
		_, err := j.Authorize(bearer(good), test.scopes)
		if status, _ := denied(t, err); status != test.want {
			t.Errorf("after %d s: %v, want %d", test.at, err, test.want)
		}
	}
}

func TestKeysAreFetchedWhenTheyAreNeededAndNotMoreOften(t *testing.T) {
	i := newIssuer(t)
	_, one, _ := ed25519.GenerateKey(rand.Reader)
	_, two, _ := ed25519.GenerateKey(rand.Reader)
	j, c := newJWT(t, i)
	try := func(id string, key any) int {
		t.Helper()
		_, err := j.Authorize(bearer(sign(t, id, key, jose.EdDSA, right(i, map[string]any{"exp": 1_900_000_000, "jti": c.Load()}))), nil)
		status, _ := denied(t, err)
		return status
	}
	want := func(what string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	i.set(func() { i.away = true })
	want("the issuer was never there", try("1", one), 503)
	i.set(func() { i.away = false })
	i.publish("1", one, jose.EdDSA)
	want("it is back, a moment after", try("1", one), 503)
	c.Add(10)
	want("it is back", try("1", one), 200)
	want("fetches", int(i.fetches.Load()), 1)
	c.Add(10)
	i.publish("2", two, jose.EdDSA)
	want("a new key", try("2", two), 200)
	want("fetches", int(i.fetches.Load()), 2)
	for n := range 100 { // made up key IDs
		want("an unknown key", try(fmt.Sprint("x", n), two), 401)
	}
	want("fetches", int(i.fetches.Load()), 2)
	// Two hours later the keys are fetched again, beside the requests.
	i.set(func() { i.away = true })
	c.Add(int64(3 * time.Hour / time.Second))
	want("the issuer is away", try("1", one), 200)
	j.keys.wg.Wait()
	want("the issuer is still away", try("1", one), 200)
	// A key that is gone counts no more, though its token was right a moment ago.
	i.set(func() { i.away, i.keys = false, i.keys[1:] })
	c.Add(10)
	want("before the fetch", try("1", one), 200)
	j.keys.wg.Wait()
	want("the key is gone", try("1", one), 401)
	want("the other key stays", try("2", two), 200)
}

func TestManyCallersWaitForOneFetch(t *testing.T) {
	i := newIssuer(t)
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	i.publish("k", key, jose.EdDSA)
	j, _ := newJWT(t, i)
	token := sign(t, "k", key, jose.EdDSA, right(i, nil))
	i.mu.Lock()
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			if _, err := j.Authorize(bearer(token), nil); err != nil {
				t.Error(err)
			}
		})
	}
	// One that goes away does not wait, nor end the fetch.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := j.Authorize(bearer(token).WithContext(ctx), nil)
	if status, _ := denied(t, err); status != http.StatusServiceUnavailable {
		t.Errorf("%v", err)
	}
	i.mu.Unlock()
	callers.Wait()
	if n := i.fetches.Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
}

func TestKeySetsThatAreNoneCostLittle(t *testing.T) {
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	for name, junk := range map[string]string{
		"no JSON":     "<html>",
		"no keys":     `{"keys":[]}`,
		"no such key": `{"keys":[{"kty":"EC","crv":"P-1"},{"kty":"oct","k":"AAAA","kid":"k"},{},7]}`,
		"endless":     `{"keys":[` + strings.Repeat(`{"kty":"RSA","n":"`+strings.Repeat("A", 340)+`","e":"AQAB"},`, 10_000),
	} {
		i := newIssuer(t)
		i.set(func() { i.junk = junk })
		j, _ := newJWT(t, i)
		_, err := j.Authorize(bearer(sign(t, "k", key, jose.EdDSA, right(i, nil))), nil)
		if status, _ := denied(t, err); status != http.StatusServiceUnavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, test := range []struct {
		source KeySource
		want   string
	}{
		{KeySource{}, "issuer is missing"},
		{KeySource{Issuer: "id.example.com"}, "not an address"},
		{KeySource{Issuer: "http://id.example.com"}, "use https"},
		{KeySource{Issuer: "https://id.example.com", JWKS: "ftp://x"}, "jwks"},
	} {
		if err := test.source.Check(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.source, err, test.want)
		}
	}
}

func TestTheTokenIsWhereItsSourceSays(t *testing.T) {
	i := newIssuer(t)
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	i.publish("k", key, jose.EdDSA)
	var sources []Source
	for _, text := range []string{"$request.header.X-Token", "$request.querystring.token", "method.request.header.x-other"} {
		s, err := ParseSource(text)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, s)
	}
	j, _ := newJWT(t, i, sources...)
	token := sign(t, "k", key, jose.EdDSA, right(i, nil))
	r := httptest.NewRequest("GET", "/?token="+token, nil)
	if _, err := j.Authorize(r, nil); err != nil {
		t.Error(err)
	}
	r = httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-Other", token)
	if _, err := j.Authorize(r, nil); err != nil {
		t.Error(err)
	}
	if _, err := j.Authorize(bearer(token), nil); err == nil {
		t.Error("a token elsewhere is taken")
	}
	// The function would get both, the wrong one too.
	r = httptest.NewRequest("GET", "/", nil)
	r.Header["X-Other"] = []string{token, "other"}
	if _, err := j.Authorize(r, nil); err == nil {
		t.Error("a header with a second token is taken")
	}
	if _, err := j.Authorize(httptest.NewRequest("GET", "/?token="+token+"&token=other", nil), nil); err == nil {
		t.Error("a query with a second token is taken")
	}
	for _, wrong := range []string{"", "$request.body", "$request.header.", "$context.x", "a b"} {
		if _, err := ParseSource(wrong); err == nil {
			t.Errorf("%q is taken for a source", wrong)
		}
	}
}

// Whatever a client sends as a token, only a right one lets it through.
func FuzzAuthorize(f *testing.F) {
	t := &testing.T{}
	i := new(issuer)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/.well-known/openid-configuration" {
			fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, i.URL, i.URL+"/keys")
			return
		}
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: i.keys})
	}))
	f.Cleanup(i.Close)
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	i.publish("k", key, jose.EdDSA)
	keys := NewKeySet(KeySource{Issuer: i.URL})
	f.Cleanup(keys.Close)
	j, err := NewJWT(keys, []string{"shop"})
	if err != nil {
		f.Fatal(err)
	}
	good := sign(t, "k", key, jose.EdDSA, right(i, map[string]any{"exp": 9_000_000_000}))
	f.Add("Bearer "+good, "")
	f.Add("Bearer "+good+".", "read")
	f.Add("bearer  eyJhbGciOiJub25lIn0.e30.", "")
	f.Fuzz(func(t *testing.T, header, scope string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Authorization"] = []string{header}
		var scopes []string
		if scope != "" {
			scopes = []string{scope}
		}
		grant, err := j.Authorize(r, scopes)
		if (grant == nil) == (err == nil) {
			t.Fatalf("%v and %v", grant, err)
		}
		if grant != nil && !strings.HasSuffix(header, good) {
			t.Errorf("%q is let through", header)
		}
		if err != nil {
			denied(t, err)
		}
	})
}
