// Package trace makes the trace header of an invocation, which functions find in
// _X_AMZN_TRACE_ID:
//
//	Root=1-67f6cc3c-2501b4910e004349426d8006;Parent=73146ee07a1ed731;Sampled=0;Lineage=1:037bed70:0
//
// What a caller sends is kept. Root, Parent and Sampled are added where they are
// missing, as Lambda does.
//
// # Recursive loops
//
// The lineage tells of the chain of requests that led here: for each function in it a
// hash, and how often it had run before. AWS's SDKs send the header of the invocation
// that they run in, and queues and topics hand it on, so a function that calls itself
// is found by its own count. The header is a hint of the caller's: who forges one can
// only have the chain of requests stopped that the forged header begins.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
package trace

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// MaxRuns is how often a function runs in one chain of requests before Lambda stops
// it.
const MaxRuns = 16

// maxHeader is the longest header that is read, in bytes.
const maxHeader = 2 << 10

// maxLineage is how many functions a lineage names at most; the first ones go.
const maxLineage = 32

// RootSize is the length of the Root field that begins every header.
const RootSize = len("Root=1-67f6cc3c-2501b4910e004349426d8006")

// A Key stands for a function in a lineage.
type Key uint32

// KeyOf is the key of a function with that ARN, without a qualifier.
func KeyOf(account, region, name string) Key {
	// FNV-1a, spelled out because it needs no allocation so.
	h := uint32(2166136261)
	for _, part := range [...]string{account, region, name} {
		for i := range len(part) {
			h = (h ^ uint32(part[i])) * 16777619
		}
		h = (h ^ ':') * 16777619
	}
	return Key(h)
}

// New is a header without a lineage, for an event that is not an invocation yet.
func New() string {
	var b [128]byte
	return string(appendNew(b[:0]))
}

// Next is the header of an invocation of the function with that key, which was asked
// for with the given header, "" for none. runs is how often the function has run in
// the chain of requests before.
func Next(header string, key Key) (next string, runs int) {
	var b [256]byte
	if header == "" {
		dst := append(appendNew(b[:0]), ";Lineage=1:"...)
		return string(append(appendKey(dst, key), ":0"...)), 0
	}
	f := parse(header)
	dst := f.append(b[:0])
	dst = append(dst, ";Lineage=1:"...)
	dst, runs = appendLineage(dst, f.lineage, key)
	return string(append(dst, f.rest...)), runs
}

// Of is the header that continues the trace of ctx: that of the caller if there is one, else one
// with the trace and the span that ctx records, so that spans of X-Ray's tools find theirs. "": ctx
// records nothing.
func Of(ctx context.Context, header string) string {
	if header != "" {
		return header
	}
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return ""
	}
	of := span.SpanContext()
	id, parent := of.TraceID(), of.SpanID()
	var b [96]byte
	dst := hex.AppendEncode(append(b[:0], "Root=1-"...), id[:4])
	dst = hex.AppendEncode(append(dst, '-'), id[4:])
	dst = hex.AppendEncode(append(dst, ";Parent="...), parent[:])
	if of.IsSampled() {
		return string(append(dst, ";Sampled=1"...))
	}
	return string(append(dst, ";Sampled=0"...))
}

// Foreign removes the lineage from the header of a client that cannot be trusted.
func Foreign(header string) string {
	if !strings.Contains(header, "ineage=") {
		return header
	}
	f := parse(header)
	return string(append(f.append(nil), f.rest...))
}

// appendNew appends the fields of a chain of requests that begins.
func appendNew(dst []byte) []byte {
	dst = appendRoot(dst)
	dst = append(dst, ";Parent="...)
	dst = appendID(dst)
	return append(dst, ";Sampled=0"...)
}

func appendRoot(dst []byte) []byte {
	var b [16]byte
	binary.BigEndian.PutUint32(b[:], uint32(time.Now().Unix()))
	binary.BigEndian.PutUint64(b[4:], rand.Uint64())
	binary.BigEndian.PutUint32(b[12:], rand.Uint32())
	dst = append(dst, "Root=1-"...)
	dst = hex.AppendEncode(dst, b[:4])
	dst = append(dst, '-')
	return hex.AppendEncode(dst, b[4:])
}

func appendID(dst []byte) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], rand.Uint64())
	return hex.AppendEncode(dst, b[:])
}

func appendKey(dst []byte, key Key) []byte {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(key))
	return hex.AppendEncode(dst, b[:])
}

// fields are those of a header. A missing one is "".
type fields struct {
	root, parent, sampled, lineage string
	rest                           string // what others have put in, with a semicolon in front
}

// parse reads a header. A header that is too long counts as none.
func parse(header string) (f fields) {
	if len(header) > maxHeader {
		return f
	}
	for part := range strings.SplitSeq(header, ";") {
		part = strings.TrimSpace(part)
		name, value, ok := strings.Cut(part, "=")
		if !ok || value == "" || !printable(part) {
			continue
		}
		switch {
		case name == "Root":
			f.root = value
		case name == "Parent":
			f.parent = value
		case name == "Sampled":
			f.sampled = value
		case name == "Lineage", name == "lineage": // as AWS has written it at one time or another
			f.lineage = value
		default:
			f.rest += ";" + part
		}
	}
	return f
}

// printable reports whether a header field may be handed on, in a header too.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// append appends the fields that every header has.
func (f *fields) append(dst []byte) []byte {
	if f.root == "" {
		dst = appendRoot(dst)
	} else {
		dst = append(append(dst, "Root="...), f.root...)
	}
	dst = append(dst, ";Parent="...)
	if f.parent == "" {
		dst = appendID(dst)
	} else {
		dst = append(dst, f.parent...)
	}
	dst = append(dst, ";Sampled="...)
	if f.sampled == "" {
		return append(dst, '0')
	}
	return append(dst, f.sampled...)
}

// appendLineage appends a lineage in which the function with that key has run once
// more. runs is how often it had before.
func appendLineage(dst []byte, lineage string, key Key) (_ []byte, runs int) {
	if lineage == "" {
		return append(appendKey(dst, key), ":0"...), 0
	}
	// The first number is the version of the format; older headers have none.
	entries := strings.Split(strings.TrimPrefix(lineage, "1:"), "|")
	if over := len(entries) - maxLineage + 1; over > 0 {
		entries = entries[over:]
	}
	found := false
	for _, entry := range entries {
		hash, count, ok := strings.Cut(entry, ":")
		n, err := strconv.Atoi(count)
		if !ok || err != nil || n < 0 || n > 1<<16 || len(hash) != 8 {
			continue
		}
		if k, err := strconv.ParseUint(hash, 16, 32); err != nil {
			continue
		} else if Key(k) == key {
			n++
			found, runs = true, n
		}
		dst = append(append(dst, hash...), ':')
		dst = append(strconv.AppendInt(dst, int64(n), 10), '|')
	}
	if !found {
		dst = append(appendKey(dst, key), ":0|"...)
	}
	return dst[:len(dst)-1], runs
}
