package console

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
)

// A browser asks a handler, and keeps its cookie.
type browser struct {
	t       *testing.T
	handler *Handler
	visit   Visit
	cookie  *http.Cookie
	// header is set in place of the page's own.
	header http.Header
}

func newBrowser(t *testing.T) *browser {
	b := &browser{t: t, visit: Visit{Base: "/console/", Secure: true, Client: "192.0.2.1", Peer: "192.0.2.1:5"}}
	b.handler = New(Config{
		Sessions: new(Sessions), Keys: keys, Account: "000000000000", Region: "us-east-1", Version: "v1",
		Call: func(w http.ResponseWriter, r *http.Request) bool {
			v, err := sigv4.New(sigv4.Config{Keys: keys, Region: "us-east-1", Services: []string{"lambda"}})
			if err != nil {
				t.Fatal(err)
			}
			check, err := v.Begin(r, "lambda")
			if err != nil {
				t.Errorf("the verifier refuses the call: %v", err)
				return false
			}
			key, _ := check.Finish(nil)
			w.Header().Set("X-Called", r.Method+" "+r.URL.EscapedPath()+" "+r.URL.RawQuery+" as "+key.ID)
			w.Header().Set("X-Cookie", r.Header.Get("Cookie"))
			w.Header().Set("X-Authorization", r.Header.Get("Authorization"))
			return true
		},
		Own:     http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Called", r.Method+" "+r.URL.Path) }),
		Samples: func() any { return []string{} },
	})
	return b
}

func (b *browser) do(method, path, body string) *http.Response {
	b.t.Helper()
	r := httptest.NewRequest(method, "https://example.com/console/"+path, strings.NewReader(body))
	r.Header.Set(header, "1")
	r.Header.Set("Origin", "https://example.com")
	for name, values := range b.header {
		r.Header[name] = values
	}
	if b.cookie != nil {
		r.AddCookie(b.cookie)
	}
	w, v := httptest.NewRecorder(), b.visit
	v.Path = strings.TrimPrefix(r.URL.Path, "/console/")
	if !b.handler.Serve(w, r, &v) {
		w.Code = 0
	}
	for _, c := range w.Result().Cookies() {
		b.cookie = c
	}
	answer := w.Result()
	answer.StatusCode = w.Code
	return answer
}

func (b *browser) want(status int, method, path, body string) *http.Response {
	b.t.Helper()
	answer := b.do(method, path, body)
	if answer.StatusCode != status {
		b.t.Errorf("%s %s: status %d, want %d", method, path, answer.StatusCode, status)
	}
	return answer
}

const goodKey = `{"keyId":"AKIAFULL","secret":"the secret of the full key"}`

func TestSignInGivesACookieThatIsNotTheKey(t *testing.T) {
	b := newBrowser(t)
	b.want(401, "GET", "-/session", "")
	b.want(401, "GET", "-/call/lambda/2015-03-31/functions/", "")
	b.want(403, "POST", "-/session", `{"keyId":"AKIAFULL","secret":"wrong"}`)
	b.want(400, "POST", "-/session", `{"keyId":"AKIAFULL","secret":"`+strings.Repeat("x", maxSignIn)+`"}`)
	b.want(200, "POST", "-/session", goodKey)
	c := b.cookie
	if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteStrictMode || c.Path != "/console/-/" || !strings.HasPrefix(c.Name, "__Secure-") || c.Domain != "" {
		t.Errorf("cookie %v", c)
	}
	if strings.Contains(c.Value, "AKIA") || strings.Contains(c.Value, "secret") {
		t.Errorf("the cookie has the key: %s", c.Value)
	}
	b.want(200, "GET", "-/session", "")
	b.want(204, "DELETE", "-/session", "")
	if b.cookie.MaxAge >= 0 || b.cookie.Value != "" {
		t.Errorf("the cookie stays: %v", b.cookie)
	}
	b.cookie = c
	b.want(401, "GET", "-/session", "")
}

func TestCallsGoToTheAPIAsTheKeyOfTheSession(t *testing.T) {
	b := newBrowser(t)
	b.want(200, "POST", "-/session", goodKey)
	b.header = http.Header{"Authorization": {"AWS4-HMAC-SHA256 Credential=AKIAREAD/20260101/us-east-1/lambda/aws4_request"}, "X-Amz-Security-Token": {"x"}}
	answer := b.want(200, "PUT", "-/call/lambda/2015-03-31/functions/a%2Fb%3A1/code?Qualifier=x%20y", "{}")
	if called := answer.Header.Get("X-Called"); called != "PUT /2015-03-31/functions/a%2Fb%3A1/code Qualifier=x%20y as AKIAFULL" {
		t.Errorf("called %s", called)
	}
	if answer.Header.Get("X-Cookie") != "" || strings.Contains(answer.Header.Get("X-Authorization"), "AKIAREAD") {
		t.Errorf("the API gets the cookie or another's authorization: %v", answer.Header)
	}
	if answer.Header.Get("Cache-Control") != "no-store" || answer.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("header %v", answer.Header)
	}
	for _, path := range []string{"-/call/", "-/call/lambda", "-/call/LAMBDA%0a/x", "-/call/%2e%2e/x", "-/nothing", "-/"} {
		b.want(404, "GET", path, "")
	}
	if answer := b.do("GET", "elsewhere", ""); answer.StatusCode != 0 {
		t.Errorf("the console takes a path that is not its own: %d", answer.StatusCode)
	}
}

func TestReadOnlyKeysChangeNothingOfHearth(t *testing.T) {
	b := newBrowser(t)
	b.want(200, "POST", "-/session", `{"keyId":"AKIAREAD","secret":"the secret of the reader"}`)
	if called := b.want(200, "GET", "-/hearth/events", "").Header.Get("X-Called"); called != "GET /hearth/events" {
		t.Errorf("called %s", called)
	}
	b.want(403, "POST", "-/hearth/events/replay", "")
	b.want(403, "DELETE", "-/hearth/events", "")
	// What a read-only key may call is for the APIs to say: they know who calls.
	if called := b.want(200, "GET", "-/call/lambda/x", "").Header.Get("X-Called"); !strings.HasSuffix(called, "as AKIAREAD") {
		t.Errorf("called %s", called)
	}
}

func TestRequestsOfOtherSitesAreRefused(t *testing.T) {
	b := newBrowser(t)
	b.want(200, "POST", "-/session", goodKey)
	for _, given := range []http.Header{
		{header: {""}}, {header: {"0"}}, {"Origin": {"https://evil.example"}}, {"Origin": {"null"}}, {"Origin": {"https://example.com.evil.example"}},
		{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Sec-Fetch-Site": {"none"}},
	} {
		b.header = given
		for _, path := range []string{"-/session", "-/call/lambda/x", "-/hearth/events", "-/samples"} {
			for _, method := range []string{"GET", "POST", "DELETE"} {
				b.want(403, method, path, goodKey)
			}
		}
	}
	b.header = http.Header{"Sec-Fetch-Site": {"same-origin"}}
	b.want(200, "GET", "-/session", "")
}

func TestKeysAreTakenByHTTPSOrFromThisMachineOnly(t *testing.T) {
	for _, c := range []struct {
		host, peer, forwarded string
		status                int
	}{
		{"localhost:80", "127.0.0.1:9", "", 200}, {"console.localhost", "[::1]:9", "", 200}, {"127.0.0.1:8080", "127.0.0.1:9", "", 200}, {"[::1]:8080", "[::1]:9", "", 200},
		{"localhost", "192.0.2.1:9", "", 403}, {"example.com", "127.0.0.1:9", "", 403}, {"localhost", "127.0.0.1:9", "192.0.2.1", 403}, {"localhost", "@", "", 403},
	} {
		b := newBrowser(t)
		r := httptest.NewRequest("POST", "http://"+c.host+"/-/session", strings.NewReader(goodKey))
		r.Header.Set(header, "1")
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		w := httptest.NewRecorder()
		b.handler.Serve(w, r, &Visit{Base: "/", Path: "-/session", Client: "127.0.0.1", Peer: c.peer})
		if w.Code != c.status {
			t.Errorf("by http at %s from %s: status %d, want %d", c.host, c.peer, w.Code, c.status)
		}
		for _, cookie := range w.Result().Cookies() {
			if cookie.Secure || strings.HasPrefix(cookie.Name, "__") {
				t.Errorf("a browser does not take the cookie %v by http", cookie)
			}
		}
	}
}

func TestWrongKeysWaitAndRightOnesToo(t *testing.T) {
	b := newBrowser(t)
	now := start
	b.handler.now = func() time.Time { return now }
	for range maxWrong {
		b.want(403, "POST", "-/session", `{"keyId":"AKIAFULL","secret":"wrong"}`)
	}
	if answer := b.want(429, "POST", "-/session", goodKey); answer.Header.Get("Retry-After") == "" {
		t.Error("it does not say how long to wait")
	}
	now = now.Add(wrongTime)
	b.want(200, "POST", "-/session", goodKey)
	now = now.Add(IdleTime)
	b.want(401, "GET", "-/session", "")
}

func TestPageIsStrictAndItsFilesNeverChange(t *testing.T) {
	b := newBrowser(t)
	b.header = http.Header{header: nil}
	answer := b.want(200, "GET", "", "")
	if answer.Header.Get("Content-Security-Policy") != policy || answer.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("header %v", answer.Header)
	}
	p := thePage()
	html := string(p.html.plain)
	if strings.Contains(html, "ASSETS") || regexp.MustCompile(`<script[^>]*>[^<]|<style|style=| on[a-z]+=`).MatchString(html) {
		t.Errorf("the page has something inline:\n%s", html)
	}
	var total int
	sources, err := fs.Glob(embedded, "page/*/*.js")
	if err != nil || len(sources) < 20 {
		t.Fatalf("modules %v, %v", sources, err)
	}
	for _, name := range sources {
		data, err := embedded.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if found := regexp.MustCompile(`dangerouslySetInnerHTML|innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function`).Find(data); found != nil {
			t.Errorf("%s has %s: text is set as text only", name, found)
		}
	}
	for name, data := range p.files {
		total += len(data.plain)
		answer := b.want(200, "GET", "-/assets/"+p.digest+"/"+name, "")
		if !strings.Contains(answer.Header.Get("Cache-Control"), "immutable") || answer.Header.Get("Content-Type") != contentTypes[path.Ext(name)] {
			t.Errorf("%s: header %v", name, answer.Header)
		}
		b.want(404, "GET", "-/assets/0123/"+name, "")
	}
	if total += len(p.html.plain); total > 300<<10 {
		t.Errorf("the page has %d bytes", total)
	}
	b.want(405, "POST", "", "")
	b.want(404, "GET", "-/assets/"+p.digest+"/../doc.go", "")
	b.want(404, "GET", "-/assets/"+p.digest+"/vendor/README.md", "")
}

func TestVendoredFilesAreThoseOfTheirPackages(t *testing.T) {
	sums, err := embedded.Open("page/vendor/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]string)
	for lines := bufio.NewScanner(sums); lines.Scan(); {
		sum, name, _ := strings.Cut(lines.Text(), "  ")
		want[name] = sum
	}
	files, err := fs.ReadDir(embedded, "page/vendor")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if file.Name() == "SHA256SUMS" || file.Name() == "README.md" {
			continue
		}
		data, err := embedded.ReadFile("page/vendor/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(data); want[file.Name()] != hex.EncodeToString(sum[:]) {
			t.Errorf("%s is not the file of its package", file.Name())
		}
	}
	if len(want) < 5 {
		t.Errorf("only %d checksums", len(want))
	}
}
