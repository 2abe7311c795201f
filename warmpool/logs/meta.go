package logs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/hearthfn/hearth/warmpool/disk"
)

// The errors of calls about groups and streams.
var (
	ErrGroupExists  = errors.New("log group exists")
	ErrStreamExists = errors.New("log stream exists")
	ErrNoStream     = errors.New("no such log stream")
	ErrFull         = errors.New("the disk does not take more log lines")
	ErrTooMany      = errors.New("too many streams of a log group are kept by name")
)

// metaFile is the file in a group's folder for the settings that calls have made.
const metaFile = "group.json"

// maxNamed is how many streams of a group calls can make or delete by name.
const maxNamed = 10000

// A meta is the settings that calls have made for a group. Times are Unix milliseconds.
type meta struct {
	Created int64             `json:",omitempty"` // by a call; 0: by the first event
	Tags    map[string]string `json:",omitempty"`
	Streams map[string]int64  `json:",omitempty"` // made by calls, and when
	Removed map[string]end    `json:",omitempty"` // deleted with all events before there
}

// An end is a Position as a record.
type end struct{ Segment, Offset int64 }

func (e end) position() Position { return Position{e.Segment, e.Offset} }

func readMeta(dir string) (m meta, err error) {
	text, err := os.ReadFile(filepath.Join(dir, metaFile))
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	return m, err
}

// describe changes the settings of the group by change. They are on disk when it returns.
func (g *Group) describe(change func(m *meta) error) error {
	g.describing.Lock()
	defer g.describing.Unlock()
	m := g.about()
	m.Tags, m.Streams, m.Removed = maps.Clone(m.Tags), maps.Clone(m.Streams), maps.Clone(m.Removed)
	if err := change(&m); err != nil {
		return err
	}
	if len(m.Streams)+len(m.Removed) > maxNamed {
		return ErrTooMany
	}
	text, err := json.Marshal(&m)
	if err == nil {
		err = g.makeDir()
	}
	if err == nil {
		err = disk.Replace(filepath.Join(g.dir, metaFile), text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("log group %s: %w", g.name, err)
	}
	g.mu.Lock()
	g.meta = m
	g.mu.Unlock()
	return nil
}

// about returns the settings of the group; its maps do not change.
func (g *Group) about() meta {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.meta
}

// forget removes the settings of the group.
func (g *Group) forget() error {
	if err := os.Remove(filepath.Join(g.dir, metaFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	g.mu.Lock()
	g.meta = meta{}
	g.mu.Unlock()
	return nil
}

// Exists reports whether the group holds events on disk, or was made by Create.
func (g *Group) Exists() bool { return g.Size() > 0 || g.about().Created != 0 }

// Create makes a group before its first event. It returns ErrGroupExists if the group exists.
func (g *Group) Create(tags map[string]string, now time.Time) error {
	return g.describe(func(m *meta) error {
		if g.Exists() {
			return ErrGroupExists
		}
		m.Created, m.Tags = now.UnixMilli(), tags
		return nil
	})
}

// Tags are the group's. They do not change.
func (g *Group) Tags() map[string]string { return g.about().Tags }

// SetTags changes the group's tags by change, which may refuse.
func (g *Group) SetTags(change func(tags map[string]string) error) error {
	return g.describe(func(m *meta) error {
		if m.Tags == nil {
			m.Tags = map[string]string{}
		}
		return change(m.Tags)
	})
}

// CreateStream makes a stream that has no events. It returns ErrStreamExists if the stream
// exists.
func (g *Group) CreateStream(ctx context.Context, name string, now time.Time) error {
	if has, err := g.has(ctx, name); err != nil || has {
		if err == nil {
			err = ErrStreamExists
		}
		return err
	}
	return g.describe(func(m *meta) error {
		if m.Streams[name] != 0 {
			return ErrStreamExists
		}
		if m.Streams == nil {
			m.Streams = map[string]int64{}
		}
		m.Streams[name] = now.UnixMilli()
		return nil
	})
}

// DeleteStream removes a stream and its events: they are not read any more, and go
// from the disk with the file that they are in. Without one it is ErrNoStream.
func (g *Group) DeleteStream(ctx context.Context, name string) error {
	if has, err := g.has(ctx, name); err != nil || !has {
		if err == nil {
			err = ErrNoStream
		}
		return err
	}
	err := g.describe(func(m *meta) error {
		delete(m.Streams, name)
		if m.Removed == nil {
			m.Removed = map[string]end{}
		}
		segments, _ := g.snapshot(false)
		if len(segments) == 0 {
			return nil
		}
		last := segments[len(segments)-1]
		m.Removed[name] = end{last.id, last.size}
		maps.DeleteFunc(m.Removed, func(_ string, at end) bool { return at.Segment < segments[0].id })
		return nil
	})
	g.indexing.Lock()
	g.index = nil
	g.indexing.Unlock()
	return err
}

func (g *Group) has(ctx context.Context, name string) (bool, error) {
	streams, err := g.Streams(ctx)
	for _, s := range streams {
		if s.Name == name {
			return true, err
		}
	}
	return false, err
}

// Made reports whether a stream was made by CreateStream: its events are as they were
// put, without the line feed that Lambda's have.
func (g *Group) Made(stream string) bool { return g.about().Streams[stream] != 0 }

// A Message is one event to Put.
type Message struct {
	Time time.Time
	Text []byte
}

// Put logs events of a stream that CreateStream made. They are on disk (not synced)
// when it returns, or it fails; with ErrNoStream, ErrFull or ErrClosed among others.
func (g *Group) Put(ctx context.Context, stream string, events []Message) error {
	if !g.Made(stream) {
		return ErrNoStream
	}
	g.mu.Lock()
	g.streams++
	st := &Stream{group: g, name: stream, number: g.streams}
	g.mu.Unlock()
	for _, e := range events {
		if !g.tryAdd(st, e) {
			if err := g.store.Flush(ctx); err != nil {
				return err
			}
			if !g.tryAdd(st, e) {
				return ErrFull
			}
		}
	}
	return g.store.Flush(ctx)
}

func (g *Group) tryAdd(st *Stream, e Message) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.room() {
		return false
	}
	g.put(st, e.Time, "", inField, e.Text)
	if len(g.batch.data) >= batchSize {
		g.submit()
	}
	return true
}
