package engine

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/hearthfn/hearth/warmpool/disk"
	"github.com/hearthfn/hearth/warmpool/state/redisstore"
)

// A clusterSecret is what the nodes that share a Redis know and Redis does not. Its access
// key is sealed by it, and nodes prove to each other that they have it.
type clusterSecret []byte

// LeastSecret is how short a cluster's secret may be, in bytes.
const LeastSecret = 16

// sealed begins a value that a secret has sealed. Access keys in plain text begin with "[".
var sealed = []byte("hearth sealed 1\n")

var errOtherSecret = errors.New("sealed with another secret")

// For what a key is derived from the secret.
const (
	forCredentials  = "hearth credentials"
	forNodes        = "hearth nodes"
	forEnvironments = "hearth environments"
)

func (s clusterSecret) key(purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, s, nil, purpose, 32)
}

func (s clusterSecret) cipher() (cipher.AEAD, error) {
	key, err := s.key(forCredentials)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func (s clusterSecret) seal(text []byte) ([]byte, error) {
	c, err := s.cipher()
	if err != nil {
		return nil, err
	}
	return c.Seal(bytes.Clone(sealed), nil, text, sealed), nil
}

func (s clusterSecret) open(value []byte) ([]byte, error) {
	c, err := s.cipher()
	if err != nil {
		return nil, err
	}
	text, err := c.Open(nil, nil, bytes.TrimPrefix(value, sealed), sealed)
	if err != nil {
		return nil, errOtherSecret
	}
	return text, nil
}

// SecretFile is where a node keeps the cluster's secret that it has made, because its
// settings name none.
func (s *Setup) SecretFile() string { return filepath.Join(s.engine.Dir, "cluster-secret") }

// secret is that of the settings, else that of the data directory; nil if there is none.
func (s *Setup) secret() (clusterSecret, error) {
	if s.ClusterSecret != "" {
		return clusterSecret(s.ClusterSecret), nil
	}
	text, err := os.ReadFile(s.SecretFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the cluster's secret: %w", err)
	}
	if text = bytes.TrimSpace(text); len(text) < LeastSecret {
		return nil, fmt.Errorf("the cluster's secret in %s has %d bytes, at least %d are needed", s.SecretFile(), len(text), LeastSecret)
	}
	return clusterSecret(text), nil
}

// makeSecret makes the secret of a cluster that has none yet.
func (s *Setup) makeSecret() (clusterSecret, error) {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // it never fails
	text := []byte(hex.EncodeToString(b))
	if err := disk.Replace(s.SecretFile(), append(text, '\n'), 0o600); err != nil {
		return nil, fmt.Errorf("make the cluster's secret: %w", err)
	}
	return clusterSecret(text), nil
}

// checkRedis refuses a Redis that serves everybody, unless the settings allow it: whoever
// reaches it deploys functions and reads their code, variables and events.
func (s *Setup) checkRedis(ctx context.Context) error {
	if !s.engine.shared() || s.Unprotected {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if !redisstore.IsOpen(ctx, s.engine.Redis.URL) {
		return nil
	}
	return fmt.Errorf("redis: the server at %s asks for no password, so whoever reaches it controls all functions: "+
		`give it one ("requirepass" or an ACL user) and name it in the URL, redis://:{env.REDIS_PASSWORD}@HOST, or write "unprotected" in the block of redis`,
		redisstore.Hosts(s.engine.Redis.URL))
}
