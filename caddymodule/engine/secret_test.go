package engine

import (
	"bytes"
	"errors"
	"testing"
)

func TestSecretOpensWhatItHasSealedAndNothingElse(t *testing.T) {
	secret, text := clusterSecret("0123456789abcdef"), []byte("[default]\naws_secret_access_key = hush\n")
	value, err := secret.seal(text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := secret.seal(text)
	if err != nil || bytes.Equal(value, again) || bytes.Contains(value, []byte("hush")) {
		t.Fatalf("sealed twice: %q and %q, %v", value, again, err)
	}
	if got, err := secret.open(value); err != nil || !bytes.Equal(got, text) {
		t.Errorf("opened: %q, %v", got, err)
	}
	if _, err := clusterSecret("0123456789abcdeF").open(value); !errors.Is(err, errOtherSecret) {
		t.Errorf("by another secret: %v", err)
	}
	for n := range value {
		changed := bytes.Clone(value)
		changed[n] ^= 1
		if _, err := secret.open(changed); !errors.Is(err, errOtherSecret) {
			t.Errorf("with another byte %d: %v", n, err)
		}
		if _, err := secret.open(value[:n]); !errors.Is(err, errOtherSecret) {
			t.Errorf("cut off at %d: %v", n, err)
		}
	}
	nodes, err := secret.key(forNodes)
	other, errOther := secret.key(forCredentials)
	if err != nil || errOther != nil || bytes.Equal(nodes, other) {
		t.Errorf("one key for both purposes: %v %v", err, errOther)
	}
}
