package caddymodule

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/hearthfn/hearth/caddymodule/lambdaapi"
)

func openBucket(t *testing.T, s Service) *bucket {
	t.Helper()
	b, err := s.bucket()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	return b
}

func read(t *testing.T, b *bucket, name, key string) (string, error) {
	t.Helper()
	object, err := b.Open(t.Context(), name, key, "")
	if err != nil {
		return "", err
	}
	defer object.Close()
	text, err := io.ReadAll(object)
	return string(text), err
}

// Keys go as they are, all bytes escaped but those that S3 leaves alone.
func TestObjectsAreWrittenAndReadBySignedRequests(t *testing.T) {
	var got []string
	kept := make(map[string][]byte)
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		sum := sha256.Sum256(body)
		hash := r.Header.Get("X-Amz-Content-Sha256")
		if hash != hex.EncodeToString(sum[:]) {
			t.Errorf("the hash is %s", hash)
		}
		again, err := http.NewRequest(r.Method, "http://"+r.Host+r.RequestURI, bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		for _, name := range []string{"X-Amz-Content-Sha256", "Content-Type"} {
			if value := r.Header.Get(name); value != "" {
				again.Header.Set(name, value)
			}
		}
		at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err != nil || time.Since(at).Abs() > time.Minute {
			t.Errorf("signed at %s, %v", at, err)
		}
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		if err := signer.SignHTTP(r.Context(), aws.Credentials{AccessKeyID: "ID", SecretAccessKey: "secret"}, again, hash, "s3", "eu-west-1", at); err != nil {
			t.Error(err)
		}
		if r.Header.Get("Authorization") != again.Header.Get("Authorization") {
			t.Errorf("%s: the signature does not match", r.RequestURI)
		}
		got = append(got, r.Method+" "+r.RequestURI)
		if r.Method == http.MethodPut {
			kept[r.URL.Path] = body
			return
		}
		if kept[r.URL.Path] == nil {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte("<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"))
			return
		}
		_, _ = w.Write(kept[r.URL.Path])
	}))
	defer store.Close()
	b := openBucket(t, Service{Endpoint: store.URL + "/base", Region: "eu-west-1", AccessKeyID: "ID", SecretAccessKey: "secret"})
	for key, path := range map[string]string{
		"f.zip": "f.zip", "a/b/f.zip": "a/b/f.zip", "a//b": "a//b", "a/../b": "a/../b", "~_-.": "~_-.",
		"with space+plus&and=%25?.zip": "with%20space%2Bplus%26and%3D%2525%3F.zip", "ü": "%C3%BC", "(a)!*'": "%28a%29%21%2A%27",
	} {
		got = nil
		if err := b.Put(t.Context(), "code", key, []byte(`"`+key+`"`)); err != nil {
			t.Errorf("write %q: %v", key, err)
		}
		if text, err := read(t, b, "code", key); err != nil || text != `"`+key+`"` {
			t.Errorf("read %q: %q, %v", key, text, err)
		}
		if want := []string{"PUT /base/code/" + path, "GET /base/code/" + path}; !slices.Equal(got, want) {
			t.Errorf("%q: requests %q, want %q", key, got, want)
		}
	}
	var refused *lambdaapi.S3Error
	if _, err := read(t, b, "code", "none"); !errors.As(err, &refused) || refused.Code != "NoSuchKey" || refused.Message == "" {
		t.Errorf("no such key: %v", err)
	}
	got = nil
	if object, err := b.Open(t.Context(), "code", "f.zip", "a&b"); err != nil || !slices.Equal(got, []string{"GET /base/code/f.zip?versionId=a%26b"}) {
		t.Errorf("a version: %q, %v", got, err)
	} else {
		object.Close()
	}
}

func TestStoreThatMisbehavesIsRefused(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/b/moved":
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		case "/b/page":
			http.Error(w, "<html>", http.StatusBadGateway)
		case "/b/short":
			w.Header().Set("Content-Length", "10")
			_, _ = w.Write([]byte("x"))
		}
	}))
	defer store.Close()
	b := openBucket(t, Service{Endpoint: store.URL})
	for key, code := range map[string]string{"moved": "Temporary Redirect", "page": "Bad Gateway"} {
		var refused *lambdaapi.S3Error
		if _, err := read(t, b, "b", key); !errors.As(err, &refused) || refused.Code != code {
			t.Errorf("%s: %v", key, err)
		}
	}
	if text, err := read(t, b, "b", "short"); err == nil {
		t.Errorf("what is cut short is read as %q", text)
	}
	store.Close()
	var refused *lambdaapi.S3Error
	if _, err := read(t, b, "b", "away"); !errors.As(err, &refused) || refused.Code != "ServiceUnavailable" || strings.Contains(refused.Message, "/b/away") {
		t.Errorf("a store that is away: %v", err)
	}
}

func TestStoreNeedsAnAddress(t *testing.T) {
	for _, endpoint := range []string{"", "minio:9000", "ftp://minio", "http://", "://"} {
		if _, err := (&Service{Endpoint: endpoint}).bucket(); err == nil {
			t.Errorf("%q is taken", endpoint)
		}
	}
}
