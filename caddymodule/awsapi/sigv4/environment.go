package sigv4

import (
	"cmp"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"sync"
	"time"
)

// Environments make the credentials of execution environments, which end with these. Nothing is
// kept of a credential: its token says all, encrypted by a key that only this process has.
type Environments struct {
	tokens cipher.AEAD

	mu   sync.Mutex
	live map[string]struct{} // environments; guarded by mu
}

// NewEnvironments makes a key.
func NewEnvironments() *Environments {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	tokens, err := newAEAD(key)
	if err != nil {
		panic(err) // the key is long enough
	}
	return &Environments{tokens: tokens, live: make(map[string]struct{})}
}

// Begin makes the credentials of an environment, by which it acts as a role until End.
func (e *Environments) Begin(environment string, role *Role) *Session {
	e.mu.Lock()
	e.live[environment] = struct{}{}
	e.mu.Unlock()
	return e.seal(environment, role, time.Time{})
}

// End ends the credentials of an environment, and all that were made with them.
func (e *Environments) End(environment string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.live, environment)
}

// seal makes a session of a role in an environment; expires is zero for the environment's own,
// which ends with it alone.
func (e *Environments) seal(environment string, role *Role, expires time.Time) *Session {
	id := make([]byte, 10)
	secret := make([]byte, 30)
	rand.Read(id) // these never fail
	rand.Read(secret)
	t := sealed{
		ID: "ASIA" + base32.StdEncoding.EncodeToString(id), Secret: base64.StdEncoding.EncodeToString(secret), Environment: environment, Role: role, Expires: expires,
	}
	text, err := json.Marshal(&t)
	if err != nil {
		panic(err) // it is a plain struct
	}
	token := base64.StdEncoding.EncodeToString(e.tokens.Seal(nil, nil, text, environmentContext))
	return &Session{Key: t.key(false), Token: token, Expires: expires}
}

var environmentContext = []byte("hearth environment 1")

// find finds the key of a token, nil if it is not one of an environment's.
func (e *Environments) find(keyID string, data []byte, now time.Time) (*Key, error) {
	text, err := e.tokens.Open(nil, nil, data, environmentContext)
	if err != nil {
		return nil, nil
	}
	var t sealed
	if err := json.Unmarshal(text, &t); err != nil || t.ID != keyID {
		return nil, errToken
	}
	e.mu.Lock()
	_, live := e.live[t.Environment]
	e.mu.Unlock()
	if !live || !t.Expires.IsZero() && !now.Before(t.Expires) {
		return nil, errExpired
	}
	key := t.key(false)
	return &key, nil
}

// stem is the access key or the environment that credentials stem from.
func (k *Key) stem() string { return cmp.Or(k.Parent, k.ID) }
