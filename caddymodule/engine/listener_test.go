package engine

import (
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestLinesWithMetricsThatWaitAreBoundedByTheirBytes(t *testing.T) {
	core, told := observer.New(zap.WarnLevel)
	l := newListener(zap.New(core))
	defer l.close()
	line := append([]byte(`{"_aws":{"CloudWatchMetrics":[]},"pad":"`), make([]byte, 200<<10)...)
	for n := range line {
		if line[n] == 0 {
			line[n] = 'x'
		}
	}
	line = append(line, `"}`...)
	for range maxHeard { // nobody reads them
		l.hear("g", line)
	}
	if n := l.bytes.Load(); n > maxHeardBytes || n < maxHeardBytes-int64(len(line)) || len(l.lines) != int(n)/len(line) {
		t.Errorf("%d bytes in %d lines wait", n, len(l.lines))
	}
	if told.Len() == 0 {
		t.Error("the log does not say that lines are lost")
	}
}
