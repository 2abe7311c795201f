package caddymodule

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"golang.org/x/term"

	"github.com/hearthfn/hearth/caddymodule/lambdaapi/sigv4"
	"github.com/hearthfn/hearth/warmpool/disk"
	"github.com/hearthfn/hearth/warmpool/state"
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
	keys, err := a.readCredentials(path)
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

// keepCredentials writes the access key that the first start has made, and shows it.
// Who only has a configuration checked, in CI perhaps, is not shown a secret.
func (a *App) keepCredentials() error {
	if a.sharedCredentials != nil {
		return a.copyCredentials()
	}
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
	a.show(a.newKey)
	a.newKey = nil
	return nil
}

// show prints an access key, to a terminal only. What a service manager, a container or a
// pipe takes is kept, sent on and read by others, as a log is: there the key's file is named.
func (a *App) show(key *sigv4.Key) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		a.log.Info("the access key for the Lambda API is in a file that only this user reads", zap.String("path", a.credentials()))
		return
	}
	fmt.Fprintf(os.Stderr, "\nThis is the access key for the Lambda API. It is kept in %s and not shown again.\n\n"+
		"  export AWS_ACCESS_KEY_ID=%s\n  export AWS_SECRET_ACCESS_KEY=%s\n  export AWS_DEFAULT_REGION=%s\n\n", a.credentials(), key.ID, key.Secret, a.Region)
}

func (a *App) readCredentials(path string) (keys []sigv4.Key, err error) {
	if a.machinery.engine.shared {
		return a.readSharedCredentials(path)
	}
	keys, err = sigv4.ReadCredentials(path)
	if errors.Is(err, fs.ErrNotExist) {
		key := sigv4.NewKey()
		a.newKey, keys, err = &key, []sigv4.Key{key}, nil
	}
	return keys, err
}

// Records of the credentials that all nodes have, which is those of the node that came
// first; and that they have been shown.
const (
	ownerCluster      = "cluster"
	recordCredentials = "credentials"
	recordShown       = "credentials-shown"
)

func (a *App) readSharedCredentials(path string) ([]sigv4.Key, error) {
	records := a.machinery.engine.records
	ctx, cancel := context.WithTimeout(context.Background(), connectWithin)
	defer cancel()
	for {
		record, err := records.Read(ctx, state.Key{Owner: ownerCluster, Name: recordCredentials})
		if err == nil {
			a.sharedCredentials = record.Value
			return sigv4.ParseCredentials(record.Value)
		}
		if !errors.Is(err, state.ErrNotFound) {
			return nil, fmt.Errorf("credentials of the cluster: %w", err)
		}
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			key := sigv4.NewKey()
			text, err = []byte(key.Profile()), nil
		}
		if err != nil {
			return nil, err
		}
		_, err = records.Change(ctx, ownerCluster, state.Put(recordCredentials, state.Absent, text))
		if err != nil && !errors.Is(err, state.ErrConflict) { // another node was quicker
			return nil, fmt.Errorf("credentials of the cluster: %w", err)
		}
	}
}

// copyCredentials writes the cluster's credentials to the data directory, for
// `caddy hearth`, and the first node shows them.
func (a *App) copyCredentials() error {
	path := a.credentials()
	if own, err := os.ReadFile(path); err != nil || !bytes.Equal(own, a.sharedCredentials) {
		if err := disk.Replace(path, a.sharedCredentials, 0o600); err != nil {
			return fmt.Errorf("credentials of the cluster: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectWithin)
	defer cancel()
	_, err := a.machinery.engine.records.Change(ctx, ownerCluster, state.Put(recordShown, state.Absent, nil))
	if errors.Is(err, state.ErrConflict) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("credentials of the cluster: %w", err)
	}
	keys, err := sigv4.ParseCredentials(a.sharedCredentials)
	if err == nil {
		a.show(&keys[0])
	}
	return err
}

// shareCredentials keeps the credentials that this node has for all nodes, if none are kept.
func (a *App) shareCredentials(ctx context.Context) error {
	if a.sharedCredentials == nil {
		return nil
	}
	for name, value := range map[string][]byte{recordCredentials: a.sharedCredentials, recordShown: nil} {
		_, err := a.machinery.engine.records.Change(ctx, ownerCluster, state.Put(name, state.Absent, value))
		if err != nil && !errors.Is(err, state.ErrConflict) {
			return fmt.Errorf("credentials of the cluster: %w", err)
		}
	}
	return nil
}

// linkKey signs the addresses that code is downloaded from. It is the same on all
// nodes that share credentials.
func (a *App) linkKey() []byte {
	h := hmac.New(sha256.New, []byte(a.linkSecret))
	h.Write([]byte("hearth code links"))
	return h.Sum(nil)
}
