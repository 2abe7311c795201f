package logs

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/hearthfn/hearth/warmpool/function"
)

// Platform events are what Lambda itself tells of environments and invocations: lines of
// the log of a function whose format is JSON, and events of the Telemetry API. Each
// function here appends one, as one line without its end. Times are in milliseconds.
// https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html

// appendEvent begins an event; its record follows, and two braces.
func appendEvent(dst []byte, t time.Time, kind string) []byte {
	dst = append(dst, `{"time":"`...)
	dst = t.UTC().AppendFormat(dst, timeLayout)
	dst = append(dst, `","type":"platform.`...)
	dst = append(dst, kind...)
	return append(dst, `","record":{`...)
}

// AppendPlatformStart tells that an invocation begins.
func AppendPlatformStart(dst []byte, t time.Time, requestID, version string) []byte {
	dst = appendEvent(dst, t, "start")
	dst = appendField(dst, `"requestId":`, requestID)
	dst = appendField(dst, `,"version":`, version)
	return append(dst, "}}"...)
}

// AppendPlatformRuntimeDone tells that the runtime has answered, or will not.
func AppendPlatformRuntimeDone(dst []byte, t time.Time, requestID string, r *Report) []byte {
	dst = appendEvent(dst, t, "runtimeDone")
	dst = appendField(dst, `"requestId":`, requestID)
	dst = appendOutcome(dst, r.Status, r.ErrorType)
	dst = append(dst, `,"metrics":{"durationMs":`...)
	dst = appendHundredths(dst, r.Duration)
	return append(dst, "}}}"...)
}

// AppendPlatformReport tells what an invocation took.
func AppendPlatformReport(dst []byte, t time.Time, requestID string, r *Report) []byte {
	dst = appendEvent(dst, t, "report")
	dst = appendField(dst, `"requestId":`, requestID)
	dst = append(dst, `,"metrics":{"durationMs":`...)
	dst = appendHundredths(dst, r.Duration)
	dst = append(dst, `,"billedDurationMs":`...)
	dst = strconv.AppendInt(dst, billedMillis(r.Duration+r.InitDuration), 10)
	dst = append(dst, `,"memorySizeMB":`...)
	dst = strconv.AppendInt(dst, int64(r.MemoryMB), 10)
	dst = append(dst, `,"maxMemoryUsedMB":`...)
	dst = strconv.AppendInt(dst, int64(r.MaxMemoryUsedMB), 10)
	if r.InitDuration > 0 {
		dst = append(dst, `,"initDurationMs":`...)
		dst = appendHundredths(dst, r.InitDuration)
	}
	dst = append(dst, '}')
	dst = appendOutcome(dst, r.Status, r.ErrorType)
	return append(dst, "}}"...)
}

// An Initialization is what the events of an init phase say of it.
type Initialization struct {
	Type              string // on-demand or provisioned-concurrency
	RuntimeVersion    string // e.g. nodejs:22.v12
	RuntimeVersionARN string
	Function          string
	Version           string
}

// AppendPlatformInitStart tells that the init phase begins.
func AppendPlatformInitStart(dst []byte, t time.Time, in *Initialization) []byte {
	dst = appendEvent(dst, t, "initStart")
	dst = appendField(dst, `"initializationType":`, in.Type)
	dst = append(dst, `,"phase":"init"`...)
	dst = appendField(dst, `,"runtimeVersion":`, in.RuntimeVersion)
	dst = appendField(dst, `,"runtimeVersionArn":`, in.RuntimeVersionARN)
	dst = appendField(dst, `,"functionName":`, in.Function)
	dst = appendField(dst, `,"functionVersion":`, in.Version)
	return append(dst, "}}"...)
}

// AppendPlatformInitRuntimeDone tells that the runtime is ready, or will not be.
func AppendPlatformInitRuntimeDone(dst []byte, t time.Time, in *Initialization, r *InitReport) []byte {
	return appendInit(dst, t, "initRuntimeDone", in, r, false)
}

// AppendPlatformInitReport tells what the init phase took.
func AppendPlatformInitReport(dst []byte, t time.Time, in *Initialization, r *InitReport) []byte {
	return appendInit(dst, t, "initReport", in, r, true)
}

func appendInit(dst []byte, t time.Time, kind string, in *Initialization, r *InitReport, metrics bool) []byte {
	dst = appendEvent(dst, t, kind)
	dst = appendField(dst, `"initializationType":`, in.Type)
	dst = appendField(dst, `,"phase":`, r.Phase)
	dst = appendOutcome(dst, r.Status, r.ErrorType)
	if metrics {
		dst = append(dst, `,"metrics":{"durationMs":`...)
		dst = append(appendHundredths(dst, r.Duration), '}')
	}
	return append(dst, "}}"...)
}

func appendOutcome(dst []byte, status, errorType string) []byte {
	if status == "" {
		status = "success"
	}
	dst = appendField(dst, `,"status":`, status)
	if errorType != "" {
		dst = appendField(dst, `,"errorType":`, errorType)
	}
	return dst
}

// appendField appends a name, which is JSON already, and a text.
func appendField(dst []byte, name, text string) []byte {
	dst = append(dst, name...)
	for i := 0; i < len(text); i++ {
		if text[i] < ' ' || text[i] > '~' || text[i] == '"' || text[i] == '\\' {
			quoted, err := json.Marshal(text)
			if err != nil {
				panic(err) // strings always encode
			}
			return append(dst, quoted...)
		}
	}
	dst = append(append(dst, '"'), text...)
	return append(dst, '"')
}

// A style is how a stream has the platform's own lines.
type style struct {
	json  bool
	level int // index into function.SystemLevels: what is more detailed is left out
	init  Initialization
}

// Indexes into function.SystemLevels.
const (
	levelDebug = iota
	levelInfo
	levelWarn
)

func styleOf(f *function.Function, initialization string) style {
	return style{
		json: f.Logging.Format == function.JSONFormat, level: slices.Index(function.SystemLevels, f.Logging.SystemLevel),
		init: Initialization{Type: initialization, Function: f.Name, Version: f.Version},
	}
}

// orWarn is the level of an event: what did not succeed is a warning.
func orWarn(level int, status string) int {
	if status != "" {
		return levelWarn
	}
	return level
}
