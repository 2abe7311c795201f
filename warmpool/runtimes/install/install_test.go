package install

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func installer(t *testing.T) *Installer {
	return &Installer{Dir: t.TempDir(), Say: t.Logf}
}

// packed is a package of npm with one file.
func packed(t *testing.T, name, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	archive := tar.NewWriter(zipped)
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(text))}); err != nil {
		t.Fatal(err)
	}
	archive.Write([]byte(text))
	archive.Close()
	zipped.Close()
	return b.Bytes()
}

// A registry that answers wrongly cannot be had but by making one.
func TestPackageOfAnotherChecksumIsRefused(t *testing.T) {
	tarball := packed(t, "package/bin/node", "program")
	sum := sha512.Sum512(tarball)
	for name, c := range map[string]struct{ integrity, want string }{
		"right": {"sha512-" + base64.StdEncoding.EncodeToString(sum[:]), ""},
		"wrong": {"sha512-" + base64.StdEncoding.EncodeToString(make([]byte, 64)), "its sha512 is not the one that the registry tells"},
		"sha1":  {"sha1-abc", "the registry has no sha512 of it"},
		"none":  {"", "the registry has no sha512 of it"},
	} {
		t.Run(name, func(t *testing.T) {
			mux := http.NewServeMux()
			mux.HandleFunc("/pack", func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(w, `{"dist-tags":{"latest":"3.0.0"},"versions":{"2.9.1":{"dist":{}},"2.10.0":{"dist":{"tarball":"/file","integrity":%q}},"2.11.0-rc.1":{},"3.0.0":{}}}`, c.integrity)
			})
			mux.HandleFunc("/file", func(w http.ResponseWriter, _ *http.Request) { w.Write(tarball) })
			registry := httptest.NewServer(mux)
			defer registry.Close()
			t.Setenv("NPM_CONFIG_REGISTRY", registry.URL)
			_, err := installer(t).download(context.Background(), "pack", 2, t.TempDir())
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestWithoutNPMARegistryHasToBeNamed(t *testing.T) {
	t.Setenv("NPM_CONFIG_REGISTRY", "")
	t.Setenv("npm_config_registry", "")
	_, err := installer(t).download(context.Background(), "pack", 2, t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "install npm, which knows its registry, or name one by NPM_CONFIG_REGISTRY") {
		t.Errorf("got %v", err)
	}
}

func TestNothingIsUnpackedOutside(t *testing.T) {
	all := func(string) bool { return true }
	for _, name := range []string{"package/../../out", "package/a/../../../out", "package//etc/out"} {
		folder := filepath.Join(t.TempDir(), "folder")
		if err := unpack(bytes.NewReader(packed(t, name, "x")), folder, all); err == nil || !strings.Contains(err.Error(), "leads out of the package") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := unpack(strings.NewReader("no archive"), t.TempDir(), all); err == nil {
		t.Error("what is no archive was unpacked")
	}
}

func TestLinkLeadsToTheNewestAndOneBefore(t *testing.T) {
	i := installer(t)
	name := filepath.Join(i.Dir, "nodejs")
	other := filepath.Join(i.Dir, "nodejs-v2-1") // of another name
	if err := os.Mkdir(other, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "two", "three"} {
		work, err := i.stage()
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Join(work, "sdk")
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "text"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := link(folder, name); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(name, "text")); string(got) != text || err != nil {
			t.Errorf("got %s, %v, want %s", got, err, text)
		}
		if info, err := os.Stat(filepath.Join(name, "text")); err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("got %v, %v, want a file that every environment reads", info.Mode(), err)
		}
		os.RemoveAll(work)
	}
	kept, err := filepath.Glob(name + "-[0-9]*")
	if len(kept) != 2 || err != nil {
		t.Errorf("kept %q, %v, want the newest two", kept, err)
	}
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}
}

func TestOneInstallAtATimeRemovesWhatAnotherLeft(t *testing.T) {
	i := installer(t)
	left, err := i.stage()
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := i.lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", left, err)
	}
	if _, err := i.Install(context.Background(), []string{"nodejs22.x"}); err == nil || !strings.Contains(err.Error(), "another install into") {
		t.Errorf("a second install: %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
}

func TestWholeSDKHasTheClientsThatFunctionsUse(t *testing.T) {
	all := strings.Join(allClients(), " ") + " "
	for _, name := range []string{"client-s3", "client-dynamodb", "client-sqs", "client-sns", "client-lambda", "client-sts", "client-ssm",
		"client-secrets-manager", "client-eventbridge", "client-sfn", "lib-dynamodb", "lib-storage", "s3-request-presigner", "credential-providers"} {
		if !strings.Contains(all, "@aws-sdk/"+name+" ") {
			t.Errorf("%s is missing", name)
		}
	}
	for _, name := range allClients() {
		if !sdkPackage.MatchString(name) {
			t.Errorf("%q is no name of a package", name)
		}
	}
}
