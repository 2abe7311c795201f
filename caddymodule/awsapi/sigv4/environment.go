package sigv4

import (
	"bytes"
	"cmp"
	"context"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// Environments make the credentials of execution environments, which end with these. Nothing is
// kept of a credential: its token says all, encrypted by a key that only this process has, or all
// nodes of a cluster. Another node asks the one that made a token whether its environment lives.
type Environments struct {
	process string // what only this process is called

	mu     sync.Mutex          // guards what follows
	keys   []sealer            // the newest, by which tokens are made, first
	live   map[string]struct{} // environments
	ask    Asker               // nil: this node is alone
	answer map[string]answer   // of other nodes, by environment
}

// An Asker asks another node whether an environment of it lives. live is false if there is no such
// node any more.
type Asker func(ctx context.Context, process, environment string) (live bool, err error)

// A sealer encrypts tokens by a key.
type sealer struct {
	key  []byte
	aead cipher.AEAD
}

// An answer of another node is good for a moment.
type answer struct {
	live bool
	at   time.Time
}

// Bounds of what is remembered: how long an answer is good for, how many there are, and how many
// keys, for a cluster's secret may change while environments live.
const (
	answerFor  = time.Second
	maxAnswers = 4096
	maxKeys    = 4
)

// NewEnvironments makes a key. process is what only this process is called.
func NewEnvironments(process string) *Environments {
	e := &Environments{process: process, live: make(map[string]struct{}), answer: make(map[string]answer)}
	key := make([]byte, 32)
	rand.Read(key) // never fails
	e.add(key)
	return e
}

// add has tokens made by a key of 32 bytes. It needs mu, or that nobody else has e.
func (e *Environments) add(key []byte) {
	if len(e.keys) > 0 && bytes.Equal(e.keys[0].key, key) {
		return
	}
	aead, err := newAEAD(key)
	if err != nil {
		panic(err) // the key is long enough
	}
	e.keys = append([]sealer{{key, aead}}, e.keys...)
	e.keys = e.keys[:min(len(e.keys), maxKeys)]
}

// Share has tokens made by a key that all nodes of a cluster have, 32 bytes, and takes those of
// other nodes.
func (e *Environments) Share(key []byte, ask Asker) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.add(key)
	e.ask = ask
}

// Begin makes the credentials of an environment, by which it acts as a role until End.
func (e *Environments) Begin(environment string, role *Role) *Session {
	e.mu.Lock()
	e.live[environment] = struct{}{}
	e.mu.Unlock()
	return e.seal(&Key{Environment: environment, process: e.process}, role, time.Time{})
}

// End ends the credentials of an environment, and all that were made with them.
func (e *Environments) End(environment string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.live, environment)
}

// Lives reports whether an environment of this node has credentials.
func (e *Environments) Lives(environment string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, live := e.live[environment]
	return live
}

// seal makes a session of a role in the environment of a key; expires is zero for the
// environment's own, which ends with it alone.
func (e *Environments) seal(of *Key, role *Role, expires time.Time) *Session {
	id := make([]byte, 10)
	secret := make([]byte, 30)
	rand.Read(id) // these never fail
	rand.Read(secret)
	t := sealed{
		ID: "ASIA" + base32.StdEncoding.EncodeToString(id), Secret: base64.StdEncoding.EncodeToString(secret),
		Environment: of.Environment, Process: of.process, Role: role, Expires: expires,
	}
	text, err := json.Marshal(&t)
	if err != nil {
		panic(err) // it is a plain struct
	}
	e.mu.Lock()
	aead := e.keys[0].aead
	e.mu.Unlock()
	token := base64.StdEncoding.EncodeToString(aead.Seal(nil, nil, text, environmentContext))
	return &Session{Key: t.key(false), Token: token, Expires: expires}
}

var environmentContext = []byte("hearth environment 1")

// errUnknown says that it cannot be told whether a token is good.
var errUnknown = &Error{"ServiceUnavailableException", http.StatusServiceUnavailable, "The node whose function has these credentials cannot be asked about them. Try again."}

// find finds the key of a token, nil if it is not one of an environment's.
func (e *Environments) find(ctx context.Context, keyID string, data []byte, now time.Time) (*Key, error) {
	text := e.open(data)
	if text == nil {
		return nil, nil
	}
	var t sealed
	if err := json.Unmarshal(text, &t); err != nil || t.ID != keyID {
		return nil, errToken
	}
	if !t.Expires.IsZero() && !now.Before(t.Expires) {
		return nil, errExpired
	}
	live, err := e.lives(ctx, cmp.Or(t.Process, e.process), t.Environment, now)
	if err != nil {
		return nil, errUnknown
	}
	if !live {
		return nil, errExpired
	}
	key := t.key(false)
	return &key, nil
}

// open is what a token has, nil if it is none of an environment's.
func (e *Environments) open(data []byte) []byte {
	e.mu.Lock()
	keys := e.keys
	e.mu.Unlock()
	for _, k := range keys {
		if text, err := k.aead.Open(nil, nil, data, environmentContext); err == nil {
			return text
		}
	}
	return nil
}

// lives reports whether an environment lives, on this node or another.
func (e *Environments) lives(ctx context.Context, process, environment string, now time.Time) (bool, error) {
	if process == e.process {
		return e.Lives(environment), nil
	}
	e.mu.Lock()
	known, ask := e.answer[environment], e.ask
	e.mu.Unlock()
	switch {
	case ask == nil:
		return false, nil
	case !known.at.IsZero() && now.Sub(known.at) < answerFor:
		return known.live, nil
	}
	live, err := ask(ctx, process, environment)
	if err != nil {
		return false, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.answer) >= maxAnswers {
		clear(e.answer)
	}
	e.answer[environment] = answer{live, now}
	return live, nil
}

// stem is the access key or the environment that credentials stem from.
func (k *Key) stem() string { return cmp.Or(k.Parent, k.ID) }
