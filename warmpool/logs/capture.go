package logs

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"time"
)

// Capture logs each line that r gives, until its end: what a process writes to
// its stdout and stderr behind the runtime's back. requestID is asked, for every
// line, which invocation it belongs to ("" for none). A line over MaxLine becomes
// several events, one without line feed is logged when r ends. The error is r's;
// there is none at its end.
func (st *Stream) Capture(r io.Reader, requestID func() string) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, MaxLine+2) // one more than is seen to be longer
	lines.Split(splitLine)
	for lines.Scan() {
		st.Line(time.Now(), requestID(), lines.Bytes())
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("capturing output for log stream %s: %w", st.name, err)
	}
	return nil
}

// splitLine is a bufio.SplitFunc for lines with their line feed. It does not wait
// for the end of one over MaxLine.
func splitLine(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i+1], nil
	}
	if len(data) > MaxLine {
		n := cut(data)
		return n, data[:n], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}
