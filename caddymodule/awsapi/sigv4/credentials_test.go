package sigv4_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
)

func TestCredentialsAreMadeOnceAndForTheirOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	var created [8]bool
	var ids [8]string
	var wait sync.WaitGroup
	for i := range created {
		wait.Go(func() {
			made, err := sigv4.CreateCredentials(path, sigv4.NewKey())
			if err != nil {
				t.Error(err)
			}
			keys, err := sigv4.ReadCredentials(path)
			if err != nil || len(keys) != 1 {
				t.Errorf("keys %v, error %v", keys, err)
				return
			}
			created[i], ids[i] = made, keys[0].ID
		})
	}
	wait.Wait()
	made := 0
	for i := range created {
		if created[i] {
			made++
		}
		if ids[i] != ids[0] {
			t.Errorf("one process has key %s, another %s", ids[i], ids[0])
		}
	}
	if made != 1 {
		t.Errorf("%d made the file, want 1", made)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^\[default\]\naws_access_key_id = AKIA[A-Z2-7]{16}\naws_secret_access_key = [A-Za-z0-9+/]{40}\n$`).Match(data) {
		t.Errorf("the file holds %q", data)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestCredentialsOfSeveralProfilesAreRead(t *testing.T) {
	secret := strings.Repeat("s", 40)
	path := filepath.Join(t.TempDir(), "credentials")
	text := "# ours\n[default]\naws_access_key_id=AKIAONE\nAWS_SECRET_ACCESS_KEY = " + secret +
		"\n\n[dashboard]\n; may look\naws_access_key_id = AKIATWO\naws_secret_access_key = " + secret + "=\nhearth_access = read-only\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := sigv4.ReadCredentials(path)
	if err != nil || len(keys) != 2 || keys[0] != (sigv4.Key{ID: "AKIAONE", Secret: secret}) ||
		keys[1] != (sigv4.Key{ID: "AKIATWO", Secret: secret + "=", ReadOnly: true}) {
		t.Errorf("keys %+v, error %v", keys, err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := sigv4.ReadCredentials(path); err == nil || !strings.Contains(err.Error(), "can be read by others (mode 0640)") {
		t.Errorf("error %v", err)
	}
}

func TestCredentialsThatAreNoneAreRefusedWithTheLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "no access keys",
		"aws_access_key_id = a":               "line 1: NAME = VALUE below a [PROFILE]",
		"[default\n":                          "line 1: a profile is written [NAME]",
		"[default]\nx":                        "line 2: NAME = VALUE",
		"[default]\naws_session_token = x":    `line 2: "aws_session_token" is not supported`,
		"[default]\nhearth_access = some":     `line 2: hearth_access "some"`,
		"[default]\naws_access_key_id = AKIA": "its secret is too short",
	} {
		if _, err := sigv4.ParseCredentials([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

func TestCredentialsThatCannotBeMadeAreAnError(t *testing.T) {
	if _, err := sigv4.CreateCredentials(filepath.Join(t.TempDir(), "missing", "credentials"), sigv4.NewKey()); err == nil {
		t.Error("no error")
	}
}

func FuzzParseCredentials(f *testing.F) {
	f.Add([]byte("[default]\naws_access_key_id = AKIA\naws_secret_access_key = 0123456789abcdef\nhearth_access = full\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := sigv4.ParseCredentials(data)
		if err != nil {
			return
		}
		for _, key := range keys {
			if key.ID == "" || len(key.Secret) < 16 {
				t.Errorf("key %+v", key)
			}
		}
	})
}
