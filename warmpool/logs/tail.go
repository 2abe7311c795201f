package logs

import "slices"

// MaxTail is how much of an invocation's log X-Amz-Log-Result holds, in bytes
// before they are encoded.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
const MaxTail = 4 << 10

// A Tail keeps the last MaxTail bytes of the log of one invocation, for a caller who asked for
// them (X-Amz-Log-Type: Tail).
type Tail struct {
	stream    *Stream
	requestID string
	text      []byte // guarded by stream.group.mu
}

// Tail begins to keep the lines that the stream logs for an invocation from now on, so it is
// called before Start. Close ends it. It also has lines that the store drops because the disk
// is slow.
func (st *Stream) Tail(requestID string) *Tail {
	t := &Tail{stream: st, requestID: requestID}
	st.group.mu.Lock()
	st.tails = append(st.tails, t)
	st.group.mu.Unlock()
	return t
}

// Close returns the last MaxTail bytes and ends the tail.
func (t *Tail) Close() []byte {
	st := t.stream
	st.group.mu.Lock()
	defer st.group.mu.Unlock()
	if i := slices.Index(st.tails, t); i >= 0 {
		st.tails = slices.Delete(st.tails, i, i+1)
	}
	t.trim()
	return t.text
}

// Append puts text, whole lines, behind what the invocation has logged so far.
func (t *Tail) Append(text []byte) {
	t.stream.group.mu.Lock()
	defer t.stream.group.mu.Unlock()
	t.text = append(t.text, text...)
}

// add needs group.mu.
func (t *Tail) add(requestID string, text []byte) {
	if requestID != t.requestID {
		return
	}
	t.text = append(t.text, text[max(0, len(text)-MaxTail):]...)
	t.text = append(t.text, '\n')
	if len(t.text) > 4*MaxTail {
		t.trim()
	}
}

func (t *Tail) trim() {
	if over := len(t.text) - MaxTail; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
}
