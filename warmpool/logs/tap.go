package logs

import (
	"encoding/json"
	"time"
)

// A Tap gets all that a stream logs, at once and in its order, as events of Lambda's
// Telemetry API. It is called under locks of the environment's, so it must not wait.
// https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
type Tap interface {
	// Wants reports whether there is a subscriber.
	Wants() bool
	// Platform takes a whole event, which is its own from then on.
	Platform(event []byte)
	// Output takes what a function or, if extension is set, an extension has written.
	// object says that text is a JSON object of a function that logs in JSON. text is
	// only valid during the call.
	Output(t time.Time, text []byte, extension, object bool)
}

// SetTap has tap get what the stream logs from now on, and that the init phase has
// begun. It is called before the environment starts.
func (st *Stream) SetTap(t time.Time, tap Tap) {
	st.tap = tap
	tap.Platform(AppendPlatformInitStart(nil, t, &st.style.init))
}

// tapped reports whether there is a tap that wants events.
func (st *Stream) tapped() bool { return st.tap != nil && st.tap.Wants() }

// Extension logs what an extension has written, as Line does for the function.
func (st *Stream) Extension(t time.Time, requestID string, text []byte) {
	st.line(t, requestID, text, true)
}

func (st *Stream) tapLine(t time.Time, text []byte, extension bool) {
	if st.tapped() {
		st.tap.Output(t, text, extension, !extension && st.style.json && len(text) > 0 && text[0] == '{' && json.Valid(text))
	}
}
