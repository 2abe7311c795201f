package logs

import (
	"time"
	"unicode/utf8"

	"github.com/hearthfn/hearth/warmpool/function"
)

// MaxLine is the largest text of one event in bytes, CloudWatch's limit for an
// event; what is longer becomes several events.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
const MaxLine = 256 << 10

// A Stream is the log stream of one execution environment. It holds nothing that
// needs closing.
type Stream struct {
	group  *Group
	name   string
	number uint64
	style  style
	tap    Tap // may be nil; set before the environment starts

	// Both are guarded by group.mu.
	round uint64  // of the batch that knows number
	tails []*Tail // of the invocations whose caller asked for one
}

// Stream returns the log stream of an environment that was begun at a time, named
// as Lambda names it: "2026/11/23/[$LATEST]6c1f0a...". version is "$LATEST" or a
// number. Neither version nor environmentID may hold a line feed.
func (g *Group) Stream(version, environmentID string, at time.Time) *Stream {
	return g.stream("["+version+"]", environmentID, at)
}

func (g *Group) stream(version, environmentID string, at time.Time) *Stream {
	st := &Stream{
		group: g,
		name:  at.UTC().Format("2006/01/02/") + version + environmentID,
	}
	g.mu.Lock()
	g.streams++
	st.number = g.streams
	g.mu.Unlock()
	return st
}

// StreamOf is Stream of an environment of f's, which logs as f.Logging says. In a group
// that is not f's alone the name of the stream has f's, as Lambda has it.
func (g *Group) StreamOf(f *function.Function, initialization, environmentID string, at time.Time) *Stream {
	version := "[" + f.Version + "]"
	if g.name != function.DefaultLogGroup(f.Name) {
		version = f.Name + version
	}
	st := g.stream(version, environmentID, at)
	st.style = styleOf(f, initialization)
	return st
}

// Name returns the name of the stream, the AWS_LAMBDA_LOG_STREAM_NAME.
func (st *Stream) Name() string { return st.name }

// Group returns the group of the stream.
func (st *Stream) Group() *Group { return st.group }

// Start logs that an invocation begins, as Lambda words it.
func (st *Stream) Start(t time.Time, requestID, version string) {
	var b [192]byte
	if st.tapped() {
		st.tap.Platform(AppendPlatformStart(nil, t, requestID, version))
	}
	if st.style.json {
		if st.style.level <= levelInfo {
			st.group.add(st, t, requestID, inField, AppendPlatformStart(b[:0], t, requestID, version))
		}
		return
	}
	st.group.add(st, t, requestID, inText, appendStart(b[:0], requestID, version))
}

// End logs that an invocation is over, as Lambda words it. In JSON, Report does.
func (st *Stream) End(t time.Time, requestID string) {
	if st.style.json {
		return
	}
	var b [128]byte
	st.group.add(st, t, requestID, inText, appendEnd(b[:0], requestID))
}

// Report logs what an invocation took, as Lambda words it.
func (st *Stream) Report(t time.Time, requestID string, r Report) {
	var b [512]byte
	if st.tapped() {
		st.tap.Platform(AppendPlatformRuntimeDone(nil, t, requestID, &r))
		st.tap.Platform(AppendPlatformReport(nil, t, requestID, &r))
	}
	if st.style.json {
		if st.style.level <= orWarn(levelDebug, r.Status) {
			st.group.add(st, t, requestID, inField, AppendPlatformRuntimeDone(b[:0], t, requestID, &r))
		}
		if st.style.level <= orWarn(levelInfo, r.Status) {
			st.group.add(st, t, requestID, inField, AppendPlatformReport(b[:0], t, requestID, &r))
		}
		return
	}
	st.group.add(st, t, requestID, inText, appendReport(b[:0], requestID, &r))
}

// Timeout logs that an invocation was ended after its timeout, as Lambda words
// it. In JSON, the report tells it by its status.
func (st *Stream) Timeout(t time.Time, requestID string, timeout time.Duration) {
	if st.style.json {
		return
	}
	var b [128]byte
	st.group.add(st, t, requestID, inField, appendTimeout(b[:0], t, requestID, timeout))
}

// InitStart logs that the init phase begins, as Lambda words it. The version is
// that of the runtime, e.g. "nodejs:22.v12", and the ARN names it.
func (st *Stream) InitStart(t time.Time, runtimeVersion, arn string) {
	st.style.init.RuntimeVersion, st.style.init.RuntimeVersionARN = runtimeVersion, arn
	if st.style.json {
		if st.style.level <= levelInfo {
			st.group.add(st, t, "", inField, AppendPlatformInitStart(nil, t, &st.style.init))
		}
		return
	}
	st.group.add(st, t, "", inField, []byte("INIT_START Runtime Version: "+runtimeVersion+"\tRuntime Version ARN: "+arn))
}

// InitReport logs the result of the init phase in Lambda's words. In the format text it logs
// nothing unless the phase failed: the first REPORT line has the duration.
func (st *Stream) InitReport(t time.Time, r InitReport) {
	if st.tapped() {
		st.tap.Platform(AppendPlatformInitRuntimeDone(nil, t, &st.style.init, &r))
		st.tap.Platform(AppendPlatformInitReport(nil, t, &st.style.init, &r))
	}
	if st.style.json {
		level := orWarn(levelDebug, r.Status)
		if st.style.level <= level {
			st.group.add(st, t, "", inField, AppendPlatformInitRuntimeDone(nil, t, &st.style.init, &r))
			st.group.add(st, t, "", inField, AppendPlatformInitReport(nil, t, &st.style.init, &r))
		}
		return
	}
	if r.Status == "" {
		return
	}
	st.group.add(st, t, "", inField, appendInitReport(nil, &r))
}

// Line logs one event, whose text may have several lines (a stack trace), for an
// invocation, or for none ("", in the init phase). One line feed at its end is no
// part of the text, and a line without text is no event. A text over MaxLine becomes several events.
func (st *Stream) Line(t time.Time, requestID string, text []byte) {
	st.line(t, requestID, text, false)
}

func (st *Stream) line(t time.Time, requestID string, text []byte, extension bool) {
	if n := len(text); n > 0 && text[n-1] == '\n' {
		text = text[:n-1]
	}
	if len(text) == 0 {
		return // CloudWatch has no event without text
	}
	for len(text) > MaxLine {
		n := cut(text)
		st.tapLine(t, text[:n], extension)
		st.hear(text[:n])
		st.group.add(st, t, requestID, inField, text[:n])
		text = text[n:]
	}
	st.tapLine(t, text, extension)
	st.hear(text)
	st.group.add(st, t, requestID, inField, text)
}

// hear tells who asked of a line. Lines of Lambda itself do not come here: what is handed to a
// function value escapes, and those lines are made without an allocation.
func (st *Stream) hear(text []byte) {
	if heard := st.group.store.config.Heard; heard != nil {
		heard(st.group.name, text)
	}
}

// cut returns where a text over MaxLine is divided: not within a character.
func cut(text []byte) int {
	n := MaxLine
	for i := 0; i < utf8.UTFMax && !utf8.RuneStart(text[n]); i++ {
		n--
	}
	if !utf8.RuneStart(text[n]) {
		return MaxLine // this is no UTF-8
	}
	return n
}
