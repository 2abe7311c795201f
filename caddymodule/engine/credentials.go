package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hearthfn/hearth/caddymodule/awsapi/autoscaling"
	"github.com/hearthfn/hearth/caddymodule/awsapi/cloudwatch"
	"github.com/hearthfn/hearth/caddymodule/awsapi/events"
	"github.com/hearthfn/hearth/caddymodule/awsapi/scheduler"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/warmpool/disk"
	"github.com/hearthfn/hearth/warmpool/state"
)

// credentials are the access keys by which requests are signed.
type credentials struct {
	verifier *sigv4.Verifier // nil until Verifier is called
	keys     []sigv4.Key     // of the verifier
	secret   string          // of the data directory's key
	// shared are the credentials of a cluster, as the data directory has them; nil: this
	// node is alone. Redis has them sealed by the cluster's secret.
	shared  []byte
	cluster clusterSecret
	// made is a new key that Apply stores; nil: there is a key.
	made *sigv4.Key
	// fresh is the key that Apply has just stored.
	fresh *sigv4.Key
}

// Verifier checks signatures by the keys of the data directory and of the
// configuration. If the data directory has no key, Verifier makes one, and
// storeCredentials stores it.
func (s *Setup) Verifier() (*sigv4.Verifier, error) {
	if s.credentials.verifier != nil {
		return s.credentials.verifier, nil
	}
	path := s.CredentialsFile()
	keys, err := s.readCredentials(path)
	if err != nil {
		return nil, err
	}
	// The secret is of the data directory alone: the keys of the configuration may change any time.
	if len(keys) == 0 {
		return nil, fmt.Errorf("credentials %s has no access key: remove it, and another is made", path)
	}
	s.credentials.secret = keys[0].Secret
	keys = append(keys, s.AccessKeys...)
	s.credentials.keys = keys
	s.credentials.verifier, err = sigv4.New(sigv4.Config{
		Keys: keys, Region: s.Account.Region,
		Services: []string{"lambda", "logs", autoscaling.Service, "apigateway", "execute-api", "sts", "iam", "ssm", "cloudformation", events.Scope, scheduler.Scope, cloudwatch.Scope, sigv4.S3, "sqs", "sns", "dynamodb", "kinesis"},
		Global:   []string{"sts", "iam"},
		Tokens:   s.derive("hearth session tokens"), Environments: s.engine.environments,
	})
	if err != nil {
		return nil, fmt.Errorf("access keys: %w", err)
	}
	return s.credentials.verifier, nil
}

// Keys are the access keys that sign requests: that of the data directory and those of the
// configuration.
func (s *Setup) Keys() ([]sigv4.Key, error) {
	_, err := s.Verifier()
	return s.credentials.keys, err
}

// CredentialsFile is the path of the file that has the access key.
func (s *Setup) CredentialsFile() string { return filepath.Join(s.engine.Dir, "credentials") }

// FreshKey is the access key that Apply has made. The server shows it once to the user who
// started it. nil: there was a key before.
func (s *Setup) FreshKey() *sigv4.Key { return s.credentials.fresh }

// storeCredentials writes the access key that Verifier has made. Only Apply calls it, so that
// a check of a configuration, in CI perhaps, makes no file.
func (s *Setup) storeCredentials() error {
	if s.credentials.shared != nil {
		return s.copyCredentials()
	}
	if s.credentials.made == nil {
		return nil
	}
	created, err := sigv4.CreateCredentials(s.CredentialsFile(), *s.credentials.made)
	switch {
	case err != nil:
		return fmt.Errorf("make credentials: %w", err)
	case !created:
		return fmt.Errorf("credentials %s have appeared since this start began: start again to use them", s.CredentialsFile())
	}
	s.credentials.fresh, s.credentials.made = s.credentials.made, nil
	return nil
}

func (s *Setup) readCredentials(path string) (keys []sigv4.Key, err error) {
	if s.engine.shared() {
		return s.readSharedCredentials(path)
	}
	keys, err = sigv4.ReadCredentials(path)
	if errors.Is(err, fs.ErrNotExist) {
		key := sigv4.NewKey()
		s.credentials.made, keys, err = &key, []sigv4.Key{key}, nil
	}
	return keys, err
}

// Records of the credentials that all nodes have. The first node writes them. The second
// record says that they have been shown.
const (
	ownerCluster      = "cluster"
	recordCredentials = "credentials"
	recordShown       = "credentials-shown"
)

func (s *Setup) readSharedCredentials(path string) ([]sigv4.Key, error) {
	records := s.engine.records
	ctx, cancel := context.WithTimeout(context.Background(), connectWithin)
	defer cancel()
	secret, err := s.secret()
	if err != nil {
		return nil, err
	}
	for {
		record, err := records.Read(ctx, state.Key{Owner: ownerCluster, Name: recordCredentials})
		if err != nil && !errors.Is(err, state.ErrNotFound) {
			return nil, fmt.Errorf("credentials of the cluster: %w", err)
		}
		if err == nil && bytes.HasPrefix(record.Value, sealed) {
			return s.unseal(record.Value, secret)
		}
		text, revision := record.Value, record.Revision // an older node has kept it in plain text
		if err != nil {
			revision = state.Absent
			if text, err = ownCredentials(path); err != nil {
				return nil, err
			}
		}
		if secret == nil {
			if secret, err = s.makeSecret(); err != nil {
				return nil, err
			}
		}
		value, err := secret.seal(text)
		if err != nil {
			return nil, fmt.Errorf("seal the credentials of the cluster: %w", err)
		}
		_, err = records.Change(ctx, ownerCluster, state.Put(recordCredentials, revision, value))
		if err != nil && !errors.Is(err, state.ErrConflict) { // another node was quicker
			return nil, fmt.Errorf("credentials of the cluster: %w", err)
		}
	}
}

// ownCredentials are those that the data directory has, or new ones.
func ownCredentials(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key := sigv4.NewKey()
		return []byte(key.Profile()), nil
	}
	return text, err
}

func (s *Setup) unseal(value []byte, secret clusterSecret) ([]sigv4.Key, error) {
	const remedy = `set "secret" in the block of redis as the other nodes have it, or copy the file cluster-secret ` +
		`from the data directory of the node that came first to %s`
	if secret == nil {
		return nil, fmt.Errorf("the cluster's access key is sealed, and this node does not have the cluster's secret: "+remedy, s.SecretFile())
	}
	text, err := secret.open(value)
	if err != nil {
		return nil, fmt.Errorf("the cluster's access key: %w: "+remedy, err, s.SecretFile())
	}
	s.credentials.shared, s.credentials.cluster = text, secret
	return sigv4.ParseCredentials(text)
}

// copyCredentials writes the cluster's credentials to the data directory, for
// `caddy hearth`. On the first node they are fresh.
func (s *Setup) copyCredentials() error {
	path := s.CredentialsFile()
	if own, err := os.ReadFile(path); err != nil || !bytes.Equal(own, s.credentials.shared) {
		if err := disk.Replace(path, s.credentials.shared, 0o600); err != nil {
			return fmt.Errorf("credentials of the cluster: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectWithin)
	defer cancel()
	_, err := s.engine.records.Change(ctx, ownerCluster, state.Put(recordShown, state.Absent, nil))
	if errors.Is(err, state.ErrConflict) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("credentials of the cluster: %w", err)
	}
	keys, err := sigv4.ParseCredentials(s.credentials.shared)
	if err == nil {
		s.credentials.fresh = &keys[0]
	}
	return err
}

// shareCredentials stores the credentials of this node for all nodes, if none are stored.
func (s *Setup) shareCredentials(ctx context.Context) error {
	if s.credentials.shared == nil {
		return nil
	}
	value, err := s.credentials.cluster.seal(s.credentials.shared)
	if err != nil {
		return fmt.Errorf("seal the credentials of the cluster: %w", err)
	}
	for name, value := range map[string][]byte{recordCredentials: value, recordShown: nil} {
		_, err := s.engine.records.Change(ctx, ownerCluster, state.Put(name, state.Absent, value))
		if err != nil && !errors.Is(err, state.ErrConflict) {
			return fmt.Errorf("credentials of the cluster: %w", err)
		}
	}
	return nil
}
