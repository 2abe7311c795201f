package services

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

	"github.com/hearthfn/hearth/caddymodule/awsapi/lambda"
	"github.com/hearthfn/hearth/invoker/pull"
)

func openBucket(t *testing.T, endpoint, region, id, secret string) *Bucket {
	t.Helper()
	s, err := NewService(endpoint, region, id, secret)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewBucket(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	return b
}

func read(t *testing.T, b *Bucket, name, key string) (string, error) {
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
	b := openBucket(t, store.URL+"/base", "eu-west-1", "ID", "secret")
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
	var refused *lambda.S3Error
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
	b := openBucket(t, store.URL, "", "", "")
	for key, code := range map[string]string{"moved": "Temporary Redirect", "page": "Bad Gateway"} {
		var refused *lambda.S3Error
		if _, err := read(t, b, "b", key); !errors.As(err, &refused) || refused.Code != code {
			t.Errorf("%s: %v", key, err)
		}
	}
	if text, err := read(t, b, "b", "short"); err == nil {
		t.Errorf("what is cut short is read as %q", text)
	}
	store.Close()
	var refused *lambda.S3Error
	if _, err := read(t, b, "b", "away"); !errors.As(err, &refused) || refused.Code != "ServiceUnavailable" || strings.Contains(refused.Message, "/b/away") {
		t.Errorf("a store that is away: %v", err)
	}
}

func TestStoreNeedsAnAddress(t *testing.T) {
	for _, endpoint := range []string{"", "minio:9000", "ftp://minio", "http://", "://"} {
		s, err := NewService(endpoint, "", "", "")
		if err == nil {
			_, err = NewBucket(s)
		}
		if err == nil {
			t.Errorf("%q is taken", endpoint)
		}
	}
}

func TestObjectsAreListedPageByPage(t *testing.T) {
	var asked []string
	answer := func(w http.ResponseWriter, text string) { _, _ = w.Write([]byte(text)) }
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.RequestURI)
		switch r.URL.Path {
		case "/photos":
			answer(w, `<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>photos</Name><IsTruncated>true</IsTruncated><EncodingType>url</EncodingType>
<Contents><Key>a+b%2Bc%25/%C3%BC%01</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified><ETag>&quot;abc-2&quot;</ETag><Size>7</Size></Contents>
<Contents><Key>b</Key><LastModified>2026-01-02T03:04:05Z</LastModified><ETag>def</ETag><Size>0</Size></Contents></ListBucketResult>`)
		case "/raw": // a store that knows no encoding-type
			answer(w, `<ListBucketResult><Contents><Key>a+b%25</Key><LastModified>2026-01-02T03:04:05Z</LastModified><ETag>"x"</ETag></Contents></ListBucketResult>`)
		case "/wrong":
			answer(w, `<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%zz</Key><LastModified>2026-01-02T03:04:05Z</LastModified></Contents></ListBucketResult>`)
		case "/cut":
			answer(w, `<ListBucketResult><Contents><Key>a</Key>`)
		case "/endless":
			_, _ = w.Write([]byte("<ListBucketResult><Name>"))
			for range 10 {
				if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<20)); err != nil {
					return
				}
			}
			answer(w, "</Name></ListBucketResult>")
		default:
			w.WriteHeader(http.StatusNotFound)
			answer(w, "<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>")
		}
	}))
	defer store.Close()
	b := openBucket(t, store.URL, "", "ID", "secret")
	page, more, err := b.List(t.Context(), "photos", "a b/", "ü+%")
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	want := []pull.Object{{Key: "a b+c%/ü\x01", ETag: "abc-2", Size: 7, LastModified: at}, {Key: "b", ETag: "def", LastModified: at.Truncate(time.Second)}}
	if err != nil || !more || !slices.Equal(page, want) {
		t.Errorf("%+v, %v, %v", page, more, err)
	}
	if want := []string{"/photos?encoding-type=url&list-type=2&prefix=a%20b%2F&start-after=%C3%BC%2B%25"}; !slices.Equal(asked, want) {
		t.Errorf("asked was %q", asked)
	}
	if page, more, err := b.List(t.Context(), "raw", "", ""); err != nil || more || len(page) != 1 || page[0].Key != "a+b%25" || page[0].ETag != "x" {
		t.Errorf("raw keys: %+v, %v, %v", page, more, err)
	}
	for _, name := range []string{"wrong", "cut", "endless", "none"} {
		if page, _, err := b.List(t.Context(), name, "", ""); err == nil {
			t.Errorf("%s: listed are %+v", name, page)
		} else if name == "none" && !strings.Contains(err.Error(), "NoSuchBucket") {
			t.Errorf("no such bucket: %v", err)
		}
	}
}
