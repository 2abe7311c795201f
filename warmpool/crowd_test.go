package warmpool

import (
	"testing"
	"testing/synctest"
	"time"
)

// Each sample costs what the functions could use.
func TestAFunctionThatKeepsTheCoresBusyIsSampledLessAndLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c crowd
		rest := func() time.Duration {
			began, over := time.Now(), make(chan struct{})
			c.rest(func() { close(over) })
			c.rest(func() { t.Error("a pause began in another") })
			<-over
			c.pause = nil
			return time.Since(began)
		}
		for _, want := range []time.Duration{10, 20, 40, 80, 160, 160} {
			if got := rest(); got != want*time.Millisecond {
				t.Errorf("a pause of %s, want %d ms", got, want)
			}
		}
		c.pauseFor = 0 // a start would help
		if got := rest(); got != crowdPause {
			t.Errorf("a pause of %s after a start, want %s", got, crowdPause)
		}
	})
}
