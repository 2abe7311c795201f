package caddymodule

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"

	"github.com/hearthfn/hearth/caddymodule/lambdaapi/sigv4"
)

// AccessKey is a key that signs requests to the Lambda API, beside the one that
// Hearth makes.
type AccessKey struct {
	// The access key ID, 3 to 128 letters, digits and underscores.
	ID string `json:"id,omitempty"`

	// The secret access key, at least 16 bytes. Placeholders such as {env.SECRET} or
	// {file./run/secrets/key} keep it out of the configuration.
	Secret string `json:"secret,omitempty"`

	// Only Get and List operations are allowed: nothing is changed, nothing invoked.
	ReadOnly bool `json:"read_only,omitempty"`
}

// verifier checks signatures by the keys of the data directory and of the
// configuration. If there is none in the data directory it makes one, which
// keepCredentials keeps.
func (a *App) verifier() (*sigv4.Verifier, error) {
	if a.signatures != nil {
		return a.signatures, nil
	}
	path := a.credentials()
	keys, err := sigv4.ReadCredentials(path)
	if errors.Is(err, fs.ErrNotExist) {
		key := sigv4.NewKey()
		a.newKey, keys, err = &key, []sigv4.Key{key}, nil
	}
	if err != nil {
		return nil, err
	}
	// Of the data directory alone: those of the configuration may change any time.
	if len(keys) == 0 {
		return nil, fmt.Errorf("credentials %s has no access key: remove it, and another is made", path)
	}
	a.linkSecret = keys[0].Secret
	repl := caddy.NewReplacer()
	for _, key := range a.AccessKeys {
		keys = append(keys, sigv4.Key{ID: repl.ReplaceAll(key.ID, ""), Secret: repl.ReplaceAll(key.Secret, ""), ReadOnly: key.ReadOnly})
	}
	a.signatures, err = sigv4.New(sigv4.Config{Keys: keys, Region: a.Region, Services: []string{"lambda", "logs"}})
	if err != nil {
		return nil, fmt.Errorf("access keys: %w", err)
	}
	return a.signatures, nil
}

func (a *App) credentials() string { return filepath.Join(a.DataDir, "credentials") }

// keepCredentials writes the access key that the first start has made, and prints it.
// Who only has a configuration checked, in CI perhaps, is not shown a secret.
func (a *App) keepCredentials() error {
	if a.newKey == nil {
		return nil
	}
	created, err := sigv4.CreateCredentials(a.credentials(), *a.newKey)
	switch {
	case err != nil:
		return fmt.Errorf("make credentials: %w", err)
	case !created:
		return fmt.Errorf("credentials %s have appeared since this start began: start again to use them", a.credentials())
	}
	// Not to the log: it is kept, sent on and read by others.
	fmt.Fprintf(os.Stderr, "\nThis is the access key for the Lambda API. It is kept in %s and not shown again.\n\n"+
		"  export AWS_ACCESS_KEY_ID=%s\n  export AWS_SECRET_ACCESS_KEY=%s\n  export AWS_DEFAULT_REGION=%s\n\n", a.credentials(), a.newKey.ID, a.newKey.Secret, a.Region)
	a.newKey = nil
	return nil
}

// linkKey signs the addresses that code is downloaded from. It is the same on all
// nodes that share credentials.
func (a *App) linkKey() []byte {
	h := hmac.New(sha256.New, []byte(a.linkSecret))
	h.Write([]byte("hearth code links"))
	return h.Sum(nil)
}
