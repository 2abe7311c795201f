package caddymodule

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	lru "github.com/hashicorp/golang-lru/v2"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

func TestAddressOfFunctionURLsIsChecked(t *testing.T) {
	for address, ok := range map[string]bool{
		"": true, "https://*.fn.example.com": true, "http://*.localhost:8080/": true,
		"*.fn.example.com": false, "ftp://*.fn.example.com": false, "https://fn.example.com": false, "https://a.*.example.com": false,
		"https://*.*.example.com": false, "https://*.fn.example.com/path": false, "https://*.fn.example.com?q": false,
	} {
		a := &App{FunctionURL: address}
		if err := a.checkFunctionURL(); ok != (err == nil) {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestIDOfAFunctionURLIsTheFirstLabelOfItsHost(t *testing.T) {
	a := &App{FunctionURL: "https://*.Fn.example.com:8443"}
	if err := a.checkFunctionURL(); err != nil {
		t.Fatal(err)
	}
	if got := a.functionURL("abc"); got != "https://abc.Fn.example.com:8443/" {
		t.Error(got)
	}
	for host, want := range map[string]string{
		"abc.fn.example.com": "abc", "ABC.FN.example.com:8443": "abc", "abc.fn.example.com:1": "abc",
		"fn.example.com": "", ".fn.example.com": "", "a.b.fn.example.com": "", "abc.fn.example.com.evil": "", "abcfn.example.com": "", "": "", "a/b.fn.example.com": "",
	} {
		if id, ok := a.functionURLID(host); ok != (want != "") || ok && id != want {
			t.Errorf("%q: %q, %v, want %q", host, id, ok, want)
		}
	}
}

// newFunctionURLs is the handler over an app with a function that the API made, whose
// code is not there: a call that gets as far as the function is answered 502.
func newFunctionURLs(t *testing.T) (*FunctionURLs, *registry.Registry) {
	t.Helper()
	a := provisioned(t, &App{
		DataDir: t.TempDir(), FunctionURL: "https://*.fn.example.com",
		AccessKeys: []AccessKey{{ID: "FULL", Secret: "0123456789abcdef"}, {ID: "READ", Secret: "0123456789abcdef", ReadOnly: true}},
	})
	t.Cleanup(func() { cleanUp(t, a) })
	start(t, a)
	f := &FunctionURLs{app: a, log: zap.NewNop()}
	var err error
	if f.known, err = lru.New[string, *functionURL](8); err != nil {
		t.Fatal(err)
	}
	_, err = a.setup.Registry().Create(t.Context(), "made", registry.Configuration{Runtime: "provided.al2023", Handler: "bootstrap"},
		registry.Code{SHA256: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}, registry.State{State: "Active"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f, a.setup.Registry()
}

func TestSignedFunctionURLIsForThoseThatMayInvoke(t *testing.T) {
	f, r := newFunctionURLs(t)
	made, err := r.CreateURL(t.Context(), "made", function.Latest, func(u *registry.URLConfig) error {
		u.AuthType = "AWS_IAM"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	host := made.ID + ".fn.example.com"
	const body = "text"
	const hash = "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1" // of body
	signed := func(key, secret, service string) *http.Request {
		t.Helper()
		r := newRequest("POST", "https://"+host+"/a?b=c", strings.NewReader(body))
		err := v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: key, SecretAccessKey: secret}, r, hash, service, "us-east-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	call := func(r *http.Request) int {
		t.Helper()
		w := httptest.NewRecorder()
		next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(http.StatusTeapot)
			return nil
		})
		if err := f.ServeHTTP(w, r, next); err != nil {
			t.Fatal(err)
		}
		return w.Code
	}
	const passed = http.StatusBadGateway
	other := signed("FULL", "0123456789abcdef", "lambda")
	other.Host = strings.Repeat("a", 32) + ".fn.example.com"
	moved := signed("FULL", "0123456789abcdef", "lambda")
	moved.URL.RawQuery = "b=d"
	more := signed("FULL", "0123456789abcdef", "lambda")
	more.Header.Set("X-Amz-Extra", "unsigned")
	for name, test := range map[string]struct {
		r    *http.Request
		want int
	}{
		"signed":              {signed("FULL", "0123456789abcdef", "lambda"), passed},
		"not signed":          {newRequest("POST", "https://"+host+"/", strings.NewReader(body)), http.StatusForbidden},
		"by a wrong secret":   {signed("FULL", "0123456789abcdeX", "lambda"), http.StatusForbidden},
		"by nobody's key":     {signed("NONE", "0123456789abcdef", "lambda"), http.StatusForbidden},
		"by a key that reads": {signed("READ", "0123456789abcdef", "lambda"), http.StatusForbidden},
		"for a store":         {signed("FULL", "0123456789abcdef", "s3"), http.StatusForbidden},
		"with another query":  {moved, http.StatusForbidden},
		"with more headers":   {more, http.StatusForbidden},
		"of no such URL":      {other, http.StatusForbidden},
		"of another site":     {newRequest("GET", "https://example.com/", nil), http.StatusTeapot},
	} {
		if got := call(test.r); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}

	// What is changed holds for the next request.
	for _, auth := range []string{"NONE", "AWS_IAM"} {
		if _, err := r.UpdateURL(t.Context(), "made", function.Latest, func(u *registry.URLConfig) error { u.AuthType = auth; return nil }); err != nil {
			t.Fatal(err)
		}
		// A URL for everybody is closed until the function's policy opens it.
		want := map[string]int{"NONE": http.StatusForbidden, "AWS_IAM": http.StatusForbidden}[auth]
		if got := call(newRequest("POST", "https://"+host+"/", strings.NewReader(body))); got != want {
			t.Errorf("after a change to %s: %d, want %d", auth, got, want)
		}
	}
	if err := r.DeleteURL(t.Context(), "made", function.Latest); err != nil {
		t.Fatal(err)
	}
	if got := call(signed("FULL", "0123456789abcdef", "lambda")); got != http.StatusForbidden {
		t.Errorf("after it is deleted: %d", got)
	}
	if got := call(newRequest("GET", "https://shop.fn.example.com/", nil)); got != http.StatusTeapot {
		t.Errorf("a host that is no URL's: %d", got)
	}
}
