package function

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/google/uuid"
)

// NewRequestID returns a random UUID (version 4), as Lambda's request IDs are.
// It names a request and grants nothing, so the runtime's own generator will do,
// and costs a fraction of the system's; see BenchmarkNewRequestID.
func NewRequestID() string {
	var id uuid.UUID
	binary.NativeEndian.PutUint64(id[:], rand.Uint64())
	binary.NativeEndian.PutUint64(id[8:], rand.Uint64())
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}
