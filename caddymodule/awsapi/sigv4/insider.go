package sigv4

import (
	"context"
	"net/http"
)

type insiderKey struct{}

// Insider makes a context whose requests count as signed by the key, without a signature: those
// that the program makes itself. No request from outside has such a context.
func Insider(ctx context.Context, key *Key) context.Context {
	return context.WithValue(ctx, insiderKey{}, key)
}

// insider is the key of a request that the program made; nil for others.
func insider(r *http.Request) *Key {
	key, _ := r.Context().Value(insiderKey{}).(*Key)
	return key
}
