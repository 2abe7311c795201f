package insights

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/hearthfn/hearth/warmpool/logs"
)

// Pointers make the @ptr of events: the group as @log has it, the place, and a code that only this
// process can make. So a pointer leads to what its owner's query has found, and to no other group.
// They are good as long as the results of queries at most: until the process ends. Nil makes none.
type Pointers struct{ key [32]byte }

// NewPointers makes some with a key of their own.
func NewPointers() *Pointers {
	p := new(Pointers)
	_, _ = rand.Read(p.key[:]) // it never fails
	return p
}

// codeSize is how long a code is, in bytes.
const codeSize = 16

func (p *Pointers) code(text string) []byte {
	mac := hmac.New(sha256.New, p.key[:])
	mac.Write([]byte(text))
	return mac.Sum(nil)[:codeSize]
}

func (p *Pointers) make(group string, at logs.Position) string {
	if p == nil {
		return ""
	}
	text := at.String() + " " + group
	return base64.RawURLEncoding.EncodeToString(append(p.code(text), text...))
}

// Parse reads what make made. ok is false for anything else.
func (p *Pointers) Parse(pointer string) (group string, at logs.Position, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(pointer)
	if err != nil || len(b) < codeSize {
		return "", at, false
	}
	text := string(b[codeSize:])
	position, group, ok := strings.Cut(text, " ")
	if !ok || !hmac.Equal(b[:codeSize], p.code(text)) {
		return "", at, false
	}
	at, err = logs.ParsePosition(position)
	return group, at, err == nil
}

// Describe returns all fields of an event that GetLogRecord tells of.
func (p *Pointers) Describe(e logs.Event, group, text string) map[string]string {
	r := logs.Record{Millis: e.Time.UnixMilli(), Stream: e.Stream, RequestID: e.RequestID, Message: e.Message, Position: e.Position}
	of := &event{record: &r, text: text, group: group, pointers: p}
	fields := make(map[string]string)
	for _, name := range []string{
		"@timestamp", "@ingestionTime", "@message", "@logStream", "@log", "@ptr", "@requestId", "@type", "@duration", "@billedDuration",
		"@initDuration", "@memorySize", "@maxMemoryUsed",
	} {
		if v := discover(name)(of); v.kind == moment {
			fields[name] = numberOf(v.number).String()
		} else if v.kind != none {
			fields[name] = v.String()
		}
	}
	return fields
}
