package runtimes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// HeadSize is the length in bytes of the head of every frame.
const HeadSize = 16

// Magic is the first byte of every frame. Anything else on the channel is
// garbage: the environment that sent it cannot be trusted to be in step.
const Magic = 0xFE

// PacketSize is the largest frame, head included, that goes into the request
// pipe as one packet: a page, the unit of a pipe in packet mode (O_DIRECT).
const PacketSize = 4096

// MaxPayload is the largest payload in bytes that is accepted from a runtime:
// Lambda's 6 MB response (6,291,556 bytes, as recorded from AWS) plus room for
// the error that a runtime puts in its place.
const MaxPayload = MaxResponse + 64<<10

// MaxResponse is Lambda's limit for a synchronous response in bytes.
const MaxResponse = 6291556

// A Kind tells what a frame carries.
type Kind uint8

// Frames from the gateway to the runtime.
const (
	KindInit   Kind = 1 // payload: InitPayload as JSON; the first frame, once
	KindInvoke Kind = 2 // payload: meta as laid out by BeginInvoke, then the event
	KindGo     Kind = 3 // payload empty: the code is there; once, after an init frame that says to wait for it
)

// Frames from the runtime to the gateway.
const (
	KindReady       Kind = 16 // handler loaded; payload: lines, the modules that came from the runtime's SDK, if it tells
	KindInitError   Kind = 17 // payload: error as JSON; the runtime then exits
	KindResult      Kind = 18 // payload: the result as JSON; value: microseconds
	KindError       Kind = 19 // payload: error as JSON; value: microseconds
	KindLog         Kind = 20 // payload: text; value: 1 stdout, 2 stderr
	KindStreamStart Kind = 21 // payload: the content type of a streamed response
	KindStreamChunk Kind = 22 // payload: bytes of a streamed response
	KindStreamEnd   Kind = 23 // payload empty; value: microseconds
	KindBooted      Kind = 24 // all is loaded that needs no function; payload: what went wrong, if anything; the first frame, once
)

func (k Kind) String() string {
	switch k {
	case KindInit:
		return "init"
	case KindInvoke:
		return "invoke"
	case KindGo:
		return "go"
	case KindReady:
		return "ready"
	case KindInitError:
		return "init-error"
	case KindResult:
		return "result"
	case KindError:
		return "error"
	case KindLog:
		return "log"
	case KindStreamStart:
		return "stream-start"
	case KindStreamChunk:
		return "stream-chunk"
	case KindStreamEnd:
		return "stream-end"
	case KindBooted:
		return "booted"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Head is the fixed start of a frame, little-endian on the wire:
//
//	0  u8  Magic
//	1  u8  kind
//	2  u16 length of the meta part of the payload (invoke only, else 0)
//	4  u32 length of the payload, meta included
//	8  u32 sequence number of the invocation; 0 outside an invocation
//	12 u32 value, by kind
type Head struct {
	Kind    Kind
	MetaLen uint16
	Length  uint32
	Seq     uint32
	Value   uint32
}

// ErrProtocol says that bytes from a runtime are no frame. The environment is
// not reused after it.
var ErrProtocol = errors.New("frame channel out of step")

// ParseHead reads a head that a runtime sent. b holds at least HeadSize bytes.
// It fails with ErrProtocol for a wrong magic, a kind that only the gateway may
// send, or a payload over MaxPayload.
func ParseHead(b []byte) (Head, error) {
	if b[0] != Magic {
		return Head{}, fmt.Errorf("%w: first byte is 0x%02x", ErrProtocol, b[0])
	}
	h := Head{
		Kind:    Kind(b[1]),
		MetaLen: binary.LittleEndian.Uint16(b[2:]),
		Length:  binary.LittleEndian.Uint32(b[4:]),
		Seq:     binary.LittleEndian.Uint32(b[8:]),
		Value:   binary.LittleEndian.Uint32(b[12:]),
	}
	if h.Kind < KindReady || h.Kind > KindBooted {
		return Head{}, fmt.Errorf("%w: %s is not for a runtime to send", ErrProtocol, h.Kind)
	}
	if h.Length > MaxPayload {
		return Head{}, fmt.Errorf("%w: %s of %d bytes", ErrProtocol, h.Kind, h.Length)
	}
	return h, nil
}

// AppendHead appends h to dst.
func AppendHead(dst []byte, h Head) []byte {
	dst = append(dst, Magic, byte(h.Kind))
	dst = binary.LittleEndian.AppendUint16(dst, h.MetaLen)
	dst = binary.LittleEndian.AppendUint32(dst, h.Length)
	dst = binary.LittleEndian.AppendUint32(dst, h.Seq)
	return binary.LittleEndian.AppendUint32(dst, h.Value)
}

// Invoke is what a runtime needs to know of an invocation beside its event.
// Each string is at most 65,535 bytes long; all together with their lengths
// must fit into 65,535 bytes too. Empty ones stand for "as in the init frame"
// (InvokedFunctionARN) or "none".
type Invoke struct {
	RequestID          string
	DeadlineMillis     float64 // Unix time in milliseconds
	TraceID            string  // value of _X_AMZN_TRACE_ID
	InvokedFunctionARN string
	ClientContext      string // JSON
	Identity           string // JSON
}

// metaFixed is the deadline and the five string lengths.
const metaFixed = 8 + 5*2

// BeginInvoke appends the head and the meta part of an invoke frame to dst; the
// event is appended after it, then FinishInvoke makes the frame whole. So the
// event is encoded where it is sent from, without a copy. The meta part is:
//
//	f64 deadline in Unix milliseconds
//	u16 x 5 lengths of request id, trace id, function ARN, client context, identity
//	the five strings, UTF-8
//
// It fails when the strings are over the limit given at Invoke.
func BeginInvoke(dst []byte, in *Invoke) ([]byte, error) {
	trace := in.TraceID
	if !isPlain(trace) {
		trace = "" // a client may send any bytes, and runtimes read text
	}
	meta := metaFixed + len(in.RequestID) + len(trace) + len(in.InvokedFunctionARN) +
		len(in.ClientContext) + len(in.Identity)
	if meta > math.MaxUint16 {
		return dst, fmt.Errorf("client context, identity and trace header are %d bytes long together, %d at most", meta, math.MaxUint16)
	}
	dst = AppendHead(dst, Head{Kind: KindInvoke, MetaLen: uint16(meta)})
	dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(in.DeadlineMillis))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(in.RequestID)))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(trace)))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(in.InvokedFunctionARN)))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(in.ClientContext)))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(in.Identity)))
	dst = append(dst, in.RequestID...)
	dst = append(dst, trace...)
	dst = append(dst, in.InvokedFunctionARN...)
	dst = append(dst, in.ClientContext...)
	return append(dst, in.Identity...), nil
}

// isPlain reports whether text is printable ASCII.
func isPlain(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// AppendPacket appends a frame of PacketSize bytes at most to packets that go into the request
// pipe by one write, of which each but the last has PacketSize bytes.
func AppendPacket(packets, frame []byte) []byte {
	if n := len(packets) % PacketSize; n > 0 {
		packets = append(packets, make([]byte, PacketSize-n)...)
	}
	return append(packets, frame...)
}

// FinishInvoke writes what is known last into a frame that BeginInvoke began:
// its length, the sequence number and the deadline in Unix milliseconds. A frame
// that was taken back is finished again for the environment that gets it next.
func FinishInvoke(frame []byte, seq uint32, deadlineMillis float64) {
	binary.LittleEndian.PutUint32(frame[4:], uint32(len(frame)-HeadSize))
	binary.LittleEndian.PutUint32(frame[8:], seq)
	// Whole, as Lambda's: programs count down from it by whole milliseconds.
	binary.LittleEndian.PutUint64(frame[HeadSize:], math.Float64bits(math.Floor(deadlineMillis)))
}

// InvokeSeq reads the sequence number of a frame that FinishInvoke made.
func InvokeSeq(frame []byte) uint32 { return binary.LittleEndian.Uint32(frame[8:]) }

// InvokeSize reads the length of a frame that FinishInvoke made, head included.
func InvokeSize(frame []byte) int {
	return HeadSize + int(binary.LittleEndian.Uint32(frame[4:]))
}

// InitPayload is the payload of the init frame, as JSON. With it a runtime that
// has no function yet becomes the runtime of one function.
type InitPayload struct {
	Handler            string            `json:"handler"`    // e.g. "index.handler"
	TaskRoot           string            `json:"task_root"`  // where the code is, e.g. "/var/task"
	LayerRoot          string            `json:"layer_root"` // where the layers are, e.g. "/opt"
	Env                map[string]string `json:"env"`        // the whole environment of the function, AWS_LAMBDA_* included
	FunctionName       string            `json:"function_name"`
	FunctionVersion    string            `json:"function_version"`     // "$LATEST" or a number
	InvokedFunctionARN string            `json:"invoked_function_arn"` // used when the invoke frame has none
	MemoryMB           int               `json:"memory_mb"`
	LogGroup           string            `json:"log_group"`
	LogStream          string            `json:"log_stream"`
	Concurrency        int               `json:"concurrency"` // invocations at once; 1 unless the function opted into more

	// SDKRoot is where Python finds the AWS SDK after all else; "" for nowhere.
	SDKRoot string `json:"sdk_root,omitempty"`

	// StartCache is the folder of the function's start cache; "" for none.
	StartCache string `json:"start_cache,omitempty"`

	// Waits says that the code is not there yet: a go frame follows when it is.
	Waits bool `json:"waits,omitempty"`

	// Wrapped says that a wrapper has started the process and may have changed its
	// environment: that counts then, _HANDLER included, and not Handler and Env.
	Wrapped bool `json:"wrapped,omitempty"`
}
