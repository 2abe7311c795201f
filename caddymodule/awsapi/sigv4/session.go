package sigv4

import (
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// maxToken is the longest session token that is looked at, in bytes.
const maxToken = 4 << 10

// ErrNoSessions says that a verifier has no key for session tokens.
var ErrNoSessions = errors.New("there are no sessions")

var errExpired = &Error{"ExpiredTokenException", http.StatusForbidden, "The security token included in the request is expired"}

// A Role is what a session acts as.
type Role struct {
	Name    string `json:"name"`
	ID      string `json:"id"`      // AROA...
	Session string `json:"session"` // the name that its maker gave it
}

// A Session is temporary credentials. Nothing is kept of them: their token says all, and is
// encrypted.
type Session struct {
	Key     Key
	Token   string
	Expires time.Time
}

// A sealed is what a token has.
type sealed struct {
	ID      string    `json:"id"`
	Secret  string    `json:"secret"`
	Parent  string    `json:"parent"`
	Role    *Role     `json:"role,omitempty"`
	Expires time.Time `json:"expires"`
	// Environment is the execution environment of the credentials, "" for none.
	Environment string `json:"environment,omitempty"`
	Process     string `json:"process,omitempty"` // of the node that has the environment
}

// tokenContext makes tokens of no use for what else the key may encrypt.
var tokenContext = []byte("hearth session 1")

func newAEAD(key []byte) (cipher.AEAD, error) {
	if key == nil {
		return nil, nil
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// NewSession makes credentials that are good for a time, to whoever has the key, which may be
// a session's. A session ends with the access key, or the environment, that it stems from. role is nil for a session of the key's own.
func (v *Verifier) NewSession(of *Key, role *Role, life time.Duration) (*Session, error) {
	if of.Environment != "" {
		return v.environments.seal(of, role, v.now().UTC().Add(life).Truncate(time.Second)), nil
	}
	if v.tokens == nil {
		return nil, ErrNoSessions
	}
	id := make([]byte, 10)
	secret := make([]byte, 30)
	rand.Read(id) // these never fail
	rand.Read(secret)
	t := sealed{
		ID: "ASIA" + base32.StdEncoding.EncodeToString(id), Secret: base64.StdEncoding.EncodeToString(secret),
		Parent: of.stem(), Role: role, Expires: v.now().UTC().Add(life).Truncate(time.Second),
	}
	text, err := json.Marshal(&t)
	if err != nil {
		return nil, err
	}
	token := base64.StdEncoding.EncodeToString(v.tokens.Seal(nil, nil, text, tokenContext))
	return &Session{Key: t.key(of.ReadOnly), Token: token, Expires: t.Expires}, nil
}

func (t *sealed) key(readOnly bool) Key {
	return Key{ID: t.ID, Secret: t.Secret, ReadOnly: readOnly, Parent: t.Parent, Role: t.Role, Environment: t.Environment, process: t.Process}
}

// session finds the key of a request by its token.
func (v *Verifier) session(ctx context.Context, keyID, token string) (*holder, error) {
	if len(token) > maxToken {
		return nil, errToken
	}
	data, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return nil, errToken
	}
	if v.environments != nil {
		if key, err := v.environments.find(ctx, keyID, data, v.now()); key != nil || err != nil {
			return &holder{Key: *cmp.Or(key, new(Key))}, err
		}
	}
	if v.tokens == nil {
		return nil, errToken
	}
	text, err := v.tokens.Open(nil, nil, data, tokenContext)
	if err != nil {
		return nil, errToken
	}
	var t sealed
	if err := json.Unmarshal(text, &t); err != nil {
		return nil, errToken
	}
	parent := v.keys[t.Parent]
	switch {
	case t.ID != keyID || parent == nil:
		return nil, errToken
	case !v.now().Before(t.Expires):
		return nil, errExpired
	}
	return &holder{Key: t.key(parent.ReadOnly)}, nil
}

// ARN is who signs by the key: a user that has the ID of the access key, or a role.
func (k *Key) ARN(account string) string {
	if k.Role != nil {
		return "arn:aws:sts::" + account + ":assumed-role/" + k.Role.Name + "/" + k.Role.Session
	}
	return "arn:aws:iam::" + account + ":user/" + cmp.Or(k.Parent, k.ID)
}
