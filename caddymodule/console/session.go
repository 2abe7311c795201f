package console

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"sync"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
)

// Bounds of sessions.
const (
	IdleTime    = time.Hour      // after its last request a session ends
	LongestTime = 12 * time.Hour // after its begin
	maxSessions = 1000           // more end the one that was not used for longest
)

// Sessions are those of the browsers that are signed in. The zero value has none. It may be used
// by several goroutines.
type Sessions struct {
	mu       sync.Mutex                     // guards what follows
	sessions map[[sha256.Size]byte]*session // by the digest of the token
	attempts attempts
}

type session struct {
	keyID      string
	secret     [sha256.Size]byte // digest of the key's secret
	begun, use time.Time
}

func (s *session) over(now time.Time) bool {
	return now.Sub(s.use) >= IdleTime || now.Sub(s.begun) >= LongestTime
}

// A digest hides how long a secret is, and where it differs, from who measures times.
func digest(text string) [sha256.Size]byte { return sha256.Sum256([]byte(text)) }

// begin makes a session for the key that has the ID and secret. ok is false if none of the keys
// has. The token is for the browser, and the server does not keep it.
func (s *Sessions) begin(keys []sigv4.Key, id, secret string, now time.Time) (token string, key *sigv4.Key, ok bool) {
	// All keys are compared, and in constant time.
	given, givenID := digest(secret), digest(id)
	for n := range keys {
		ownID, own := digest(keys[n].ID), digest(keys[n].Secret)
		if subtle.ConstantTimeCompare(ownID[:], givenID[:])&subtle.ConstantTimeCompare(own[:], given[:]) == 1 {
			key = &keys[n]
		}
	}
	if key == nil {
		return "", nil, false
	}
	token = rand.Text() + rand.Text() // 260 bits
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions == nil {
		s.sessions = make(map[[sha256.Size]byte]*session)
	}
	for at, other := range s.sessions {
		if other.over(now) {
			delete(s.sessions, at)
		}
	}
	if len(s.sessions) >= maxSessions {
		delete(s.sessions, s.oldest())
	}
	s.sessions[digest(token)] = &session{keyID: key.ID, secret: given, begun: now, use: now}
	return token, key, true
}

// oldest is the session that was not used for longest.
func (s *Sessions) oldest() [sha256.Size]byte {
	var all [][sha256.Size]byte
	for at := range s.sessions {
		all = append(all, at)
	}
	return slices.MinFunc(all, func(a, b [sha256.Size]byte) int {
		return cmp.Compare(s.sessions[a].use.UnixNano(), s.sessions[b].use.UnixNano())
	})
}

// key is the access key of the session that has the token; nil if there is no such session, or
// none of the keys is its key any more.
func (s *Sessions) key(keys []sigv4.Key, token string, now time.Time) *sigv4.Key {
	at := digest(token)
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.sessions[at]
	if found == nil {
		return nil
	}
	if !found.over(now) {
		for n := range keys {
			if keys[n].ID == found.keyID && digest(keys[n].Secret) == found.secret {
				found.use = now
				return &keys[n]
			}
		}
	}
	delete(s.sessions, at)
	return nil
}

// end ends the session that has the token.
func (s *Sessions) end(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, digest(token))
}
