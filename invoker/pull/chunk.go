package pull

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/state"
)

// The checkpoint of a bucket is its keys as functions know them, in chunks: records of
// the state, each with the name of the next. A chunk has the keys of its range, which
// ends with End and begins behind the End of the one before. The first is always there.
//
//	keys/first: a b c (End f) -> keys/UUID: g k (End m) -> keys/UUID: n z (End "")
const (
	chunkPrefix = "keys/"
	firstChunk  = chunkPrefix + "first"
)

// Limits of a chunk. A larger chunk is halved. Two chunks that are small together are merged.
// A record of the state has 1 MiB at most.
const (
	maxChunkKeys  = 1000
	maxChunkBytes = 512 << 10
)

// A known is an object as functions know it.
type known struct{ key, tag string }

type chunk struct {
	name, next string // names of records; next is "" of the last
	end        string // the last key that may be in it; "" is behind all
	objects    []known
	revision   state.Revision
	dirty      bool // not yet written as it is
}

// A chunkRecord is a chunk as it is kept: keys need not be UTF-8.
type chunkRecord struct {
	Next, End  string
	Keys, Tags []string
}

func (c *chunk) encode() ([]byte, error) {
	r := chunkRecord{Next: c.next, End: c.end, Keys: make([]string, len(c.objects)), Tags: make([]string, len(c.objects))}
	for n, o := range c.objects {
		r.Keys[n], r.Tags[n] = o.key, o.tag
	}
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(&r)
	return b.Bytes(), err
}

func readChunk(ctx context.Context, records state.Records, owner, name string) (*chunk, error) {
	c := &chunk{name: name}
	stored, err := records.Read(ctx, state.Key{Owner: owner, Name: name})
	if errors.Is(err, state.ErrNotFound) && name == firstChunk {
		return c, nil
	}
	if errors.Is(err, state.ErrNotFound) {
		err = state.ErrConflict // another node has changed the chunks meanwhile
	}
	if err != nil {
		return nil, err
	}
	var r chunkRecord
	if err := gob.NewDecoder(bytes.NewReader(stored.Value)).Decode(&r); err != nil || len(r.Keys) != len(r.Tags) {
		return nil, fmt.Errorf("checkpoint %s of %s is damaged: %w", name, owner, err)
	}
	c.next, c.end, c.revision, c.objects = r.Next, r.End, stored.Revision, make([]known, len(r.Keys))
	for n := range r.Keys {
		c.objects[n] = known{r.Keys[n], r.Tags[n]}
	}
	return c, nil
}

// has reports whether a key is in the range of a chunk, or before it.
func (c *chunk) has(key string) bool { return c.end == "" || key <= c.end }

// set notes an object, or that it is gone.
func (c *chunk) set(o known, gone bool) {
	n, found := slices.BinarySearchFunc(c.objects, o.key, func(have known, key string) int { return strings.Compare(have.key, key) })
	switch {
	case found && gone:
		c.objects = slices.Delete(c.objects, n, n+1)
	case found:
		c.objects[n] = o
	case !gone:
		c.objects = slices.Insert(c.objects, n, o)
	}
	c.dirty = true
}

func (c *chunk) bytes() (n int) {
	for _, o := range c.objects {
		n += len(o.key) + len(o.tag) + 4
	}
	return n
}

// halve splits a chunk that is too large, and is nil of others.
func (c *chunk) halve() *chunk {
	if len(c.objects) <= maxChunkKeys && c.bytes() <= maxChunkBytes || len(c.objects) < 2 {
		return nil
	}
	half := len(c.objects) / 2
	behind := &chunk{name: chunkPrefix + function.NewRequestID(), next: c.next, end: c.end, objects: slices.Clone(c.objects[half:]), dirty: true}
	c.objects = slices.Clip(c.objects[:half])
	c.next, c.end, c.dirty = behind.name, c.objects[half-1].key, true
	return behind
}

// swallow makes c and the chunk behind it one, if both are small.
func (c *chunk) swallow(behind *chunk) bool {
	if len(c.objects)+len(behind.objects) > maxChunkKeys/2 || c.bytes()+behind.bytes() > maxChunkBytes/2 {
		return false
	}
	c.objects = append(c.objects, behind.objects...)
	c.next, c.end, c.dirty = behind.next, behind.end, true
	return true
}
