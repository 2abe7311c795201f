package harness

import (
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

// seedVariable has the seed of a run that is to be repeated.
const seedVariable = "HEARTH_TEST_SEED"

// Random is the source of the instants at which a test kills and cuts.
type Random struct {
	mu sync.Mutex
	r  *rand.Rand // guarded by mu
}

// NewRandom makes a source, and has a test that fails say how its instants come again.
func NewRandom(t *testing.T) *Random {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv(seedVariable); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", seedVariable, err)
		}
	}
	t.Logf("random instants come again with %s=%d", seedVariable, seed)
	return &Random{r: rand.New(rand.NewPCG(seed, 0))}
}

// Wait waits for a random time below most: any instant is one that a kill can come at.
func (r *Random) Wait(most time.Duration) {
	r.mu.Lock()
	d := time.Duration(r.r.Int64N(int64(most)))
	r.mu.Unlock()
	<-time.After(d)
}
