package socket

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// Sizes of a connection ID, in bytes. AWS's have 11, too.
const (
	tagSize = 4
	idSize  = 11
)

// A Tag begins all connection IDs of a Hub.
type Tag [tagSize]byte

// TagOf is the tag of a process by what only that process is called.
func TagOf(process string) (t Tag) {
	sum := sha256.Sum256([]byte(process))
	copy(t[:], sum[:])
	return t
}

// newID makes the ID of a connection, as AWS's look.
func (t Tag) newID() string {
	var b [idSize]byte
	copy(b[:], t[:])
	_, _ = rand.Read(b[tagSize:]) // never fails: it ends the program instead
	return base64.URLEncoding.EncodeToString(b[:])
}

// TagIn is the tag in a connection ID. ok is false if it is none.
func TagIn(id string) (t Tag, ok bool) {
	var b [idSize + 1]byte
	if len(id) != base64.URLEncoding.EncodedLen(idSize) {
		return t, false
	}
	n, err := base64.URLEncoding.Decode(b[:], []byte(id))
	copy(t[:], b[:])
	return t, err == nil && n == idSize
}

// newRequestID makes the ID of a message or a request.
func newRequestID() string {
	var b [idSize]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	return base64.URLEncoding.EncodeToString(b[:])
}
