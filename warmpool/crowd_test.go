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

func TestAFunctionThatWaitsLooksIdleOnABusyMachineToo(t *testing.T) {
	var waits, calculates crowd
	for i := range 10 {
		// It wants 1 ms of each 10, and gets it after it has waited 30 ms for a core.
		waits.observe(crowdSample{ran: time.Millisecond, within: 10 * time.Millisecond, running: 1, seen: 1})
		// It wants a core all the time and has it in every fourth slice. The wait is counted late.
		within := 12 * time.Millisecond
		if i%2 == 1 {
			within = -6 * time.Millisecond
		}
		calculates.observe(crowdSample{ran: 3 * time.Millisecond, within: within})
	}
	if d := waits.demand(); d < 0.09 || d > 0.11 {
		t.Errorf("a function that waits would use %.2f of a core, want 0.10", d)
	}
	if d := calculates.demand(); d < 0.8 {
		t.Errorf("a function that calculates would use %.2f of a core, want all of it", d)
	}
	var unknown crowd
	unknown.observe(crowdSample{running: 1, seen: 2})
	if d := unknown.demand(); d != 0.5 {
		t.Errorf("%.2f, want the part that used a core while nothing else is known", d)
	}
}
