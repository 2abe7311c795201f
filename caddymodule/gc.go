package caddymodule

import (
	"os"
	"runtime/debug"
)

// gcPercent lets garbage grow to four times what is live before it is collected.
// What is live is small beside the functions' own memory, and each collection
// holds up the few cores there are: at one connection the slowest hundredth of
// answers took half the time with it. Caddy's limit on all memory (GOMEMLIMIT)
// stays in force.
const gcPercent = 400

// tuneGC leaves a choice of the user's own alone.
func tuneGC() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
