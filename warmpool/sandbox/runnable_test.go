package sandbox

import (
	"os"
	"testing"
	"time"
)

func TestDemandIsThePartOfACoreThatAProcessWants(t *testing.T) {
	if _, err := os.Stat("/proc/self/schedstat"); err != nil {
		t.Log("the kernel does not count how long threads wait: no demand is known")
		return
	}
	demand := func(program string) float64 {
		ses := start(t, shared(t), Spec{Args: []string{"sh", "-c", "echo begun; " + program}})
		ses.line()
		var ran, within time.Duration
		for began := time.Now(); time.Since(began) < 300*time.Millisecond; {
			time.Sleep(20 * time.Millisecond) // what is measured is time
			if r, w, ok := ses.Demand(); ok {
				ran, within = ran+r, within+w
			}
		}
		ses.Kill()
		<-ses.Done()
		if _, _, ok := ses.Demand(); ok {
			t.Error("a process that has ended has a demand")
		}
		return float64(ran) / float64(max(ran, within))
	}
	if d := demand("while :; do :; done"); d < 0.7 {
		t.Errorf("a process that calculates would use %.2f of a core", d)
	}
	if d := demand("while :; do sleep 1; done"); d > 0.3 {
		t.Errorf("a process that waits would use %.2f of a core", d)
	}
}
