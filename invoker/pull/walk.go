package pull

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/state"
)

// A walk goes once through the keys of a bucket and through those of its checkpoint,
// both sorted, and runs the function with what differs. It has a page of the one and a
// few chunks of the other in memory, however large the bucket is.
type walk struct {
	*listing
	pages pages
	first bool // there was no listing before that was done

	open    []*chunk // which have or may get changes, in the order of their keys
	gone    []*chunk // chunks to remove
	unsaved int      // how many changes without events are not written yet
	at      string   // the key seen last

	batch   []record
	bytes   int               // of batch
	changes map[string]change // those of batch, by ID of their records
}

type change struct {
	known
	gone bool
}

// maxOpen is how many chunks wait for a batch to be full.
const maxOpen = 16

// list lists the bucket once.
func (l *listing) list(ctx context.Context) error {
	w := &walk{listing: l, changes: make(map[string]change), pages: pages{bucket: l.engine.Clients().S3(&l.mapping), name: l.bucket, prefix: l.prefix, more: true}}
	done := state.Key{Owner: l.owner(), Name: listingRecord}
	_, err := l.engine.Store.Read(ctx, done)
	if w.first = errors.Is(err, state.ErrNotFound); err != nil && !w.first {
		return err
	}
	if err := w.all(ctx); err != nil || !w.first {
		return err
	}
	if _, err = l.engine.Store.Change(ctx, done.Owner, state.Put(done.Name, state.Any, []byte("{}"))); err == nil {
		l.engine.Log.Info("a bucket was listed for the first time", zap.String("source", l.mapping.EventSourceArn), zap.String("function", l.mapping.FunctionName))
	}
	return err
}

// all compares the bucket with the checkpoint, from the first key to the last.
func (w *walk) all(ctx context.Context) error {
	first, err := readChunk(ctx, w.engine.Store, w.owner(), firstChunk)
	if err != nil {
		return err
	}
	w.open = []*chunk{first}
	for old := slices.Clone(first.objects); ; {
		here, err := w.pages.next(ctx)
		if err != nil {
			return err
		}
		last := w.open[len(w.open)-1]
		if here != nil && !last.has(here.Key) {
			here = nil // it is of a later chunk
		}
		switch {
		case here == nil && len(old) == 0 && last.next == "":
			return w.flush(ctx)
		case here == nil && len(old) == 0:
			if old, err = w.step(ctx); err != nil {
				return err
			}
			continue
		case here == nil || len(old) > 0 && old[0].key < here.Key:
			w.at = old[0].key
			err = w.found(ctx, &Object{Key: old[0].key}, true)
			old = old[1:]
		case len(old) == 0 || here.Key < old[0].key:
			w.at = here.Key
			w.pages.take()
			if w.first && w.isOld(here) {
				err = w.silently(ctx, here, false)
			} else {
				err = w.found(ctx, here, false)
			}
		default:
			w.at = here.Key
			w.pages.take()
			if old[0].tag != here.ETag {
				err = w.found(ctx, here, false)
			}
			old = old[1:]
		}
		if err != nil {
			return err
		}
	}
}

// step moves on to the next chunk, and returns its content.
func (w *walk) step(ctx context.Context) ([]known, error) {
	if len(w.batch) == 0 || len(w.open) >= maxOpen {
		if err := w.flush(ctx); err != nil {
			return nil, err
		}
	}
	last := w.open[len(w.open)-1]
	c, err := readChunk(ctx, w.engine.Store, w.owner(), last.next)
	if err != nil {
		return nil, err
	}
	old := slices.Clone(c.objects)
	if last.swallow(c) {
		w.gone = append(w.gone, c)
		return old, w.save(ctx)
	}
	w.open = append(w.open, c)
	return old, nil
}

// found has an object that is new, changed or gone come to the function.
func (w *walk) found(ctx context.Context, o *Object, gone bool) error {
	r, err := w.recordOf(o, gone, time.Now())
	if err != nil {
		return err
	}
	if !w.wants(&r) {
		return w.silently(ctx, o, gone)
	}
	w.batch, w.bytes = append(w.batch, r), w.bytes+len(r.event)
	w.changes[r.id] = change{known{o.Key, o.ETag}, gone}
	if len(w.batch) < w.size() && w.bytes < maxEvent {
		return nil
	}
	return w.flush(ctx)
}

// silently notes an object without telling the function.
func (w *walk) silently(ctx context.Context, o *Object, gone bool) error {
	w.apply(change{known{o.Key, o.ETag}, gone})
	if w.unsaved++; w.unsaved < maxChunkKeys {
		return nil
	}
	return w.flush(ctx)
}

func (w *walk) apply(c change) {
	n := slices.IndexFunc(w.open, func(one *chunk) bool { return one.has(c.key) })
	w.open[n].set(c.known, c.gone)
}

// flush runs the function with the batch, and writes what is done.
func (w *walk) flush(ctx context.Context) error {
	for len(w.batch) > 0 {
		n := fits(w.batch, w.size())
		if err := w.process(ctx, w, w.batch[:n]); err != nil {
			return err
		}
		if err := w.markDone(ctx, w.batch[:n]); err != nil {
			return err
		}
		w.batch = w.batch[n:]
	}
	w.batch, w.bytes = nil, 0
	if err := w.save(ctx); err != nil {
		return err
	}
	// Chunks that end before this key get no more changes.
	last := w.open[len(w.open)-1]
	w.open = slices.DeleteFunc(w.open, func(c *chunk) bool { return c != last && c.end <= w.at })
	return nil
}

// markDone implements ordered: it notes what the function knows now.
func (w *walk) markDone(ctx context.Context, done []record) error {
	for n := range done {
		if c, ok := w.changes[done[n].id]; ok {
			w.apply(c)
			delete(w.changes, done[n].id)
		}
	}
	return w.save(ctx)
}

// save writes the chunks that have changed, if nobody else has changed them meanwhile.
func (w *walk) save(ctx context.Context) error {
	for n := 0; n < len(w.open); {
		if behind := w.open[n].halve(); behind != nil {
			w.open = slices.Insert(w.open, n+1, behind)
		} else {
			n++
		}
	}
	var changes []state.Change
	for _, c := range w.open {
		if c.dirty {
			value, err := c.encode()
			if err != nil {
				return err
			}
			changes = append(changes, state.Put(c.name, c.revision, value))
		}
	}
	for _, c := range w.gone {
		changes = append(changes, state.Delete(c.name, c.revision))
	}
	if len(changes) == 0 {
		return nil
	}
	// Objects that were done are noted even if listing has just ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveWithin)
	defer cancel()
	revision, err := w.engine.Store.Change(ctx, w.owner(), changes...)
	if err != nil {
		return err
	}
	for _, c := range w.open {
		if c.dirty {
			c.revision, c.dirty = revision, false
		}
	}
	w.gone, w.unsaved = nil, 0
	return nil
}

// Pages are the objects of a bucket, one after the other.
type pages struct {
	bucket       Bucket
	name, prefix string

	page []Object // what is left of one
	last string   // the key that was taken last
	more bool
}

// Limits of what a store may say.
const (
	maxKey  = 1 << 10 // bytes, S3's
	maxETag = 1 << 10 // bytes
)

// next is the object that comes next, nil if there is none. It stays until take.
func (p *pages) next(ctx context.Context) (*Object, error) {
	if len(p.page) == 0 && p.more {
		ctx, cancel := context.WithTimeout(ctx, pageWithin)
		defer cancel()
		page, more, err := p.bucket.List(ctx, p.name, p.prefix, p.last)
		if err != nil {
			return nil, fmt.Errorf("listing bucket %s: %w", p.name, err)
		}
		// Wrong data from a store would look as if objects came and went.
		last := p.last
		for n := range page {
			switch o := &page[n]; {
			case !strings.HasPrefix(o.Key, p.prefix) || len(o.Key) > maxKey || len(o.ETag) > maxETag:
				return nil, fmt.Errorf("listing bucket %s: the store names %.80q, which was not asked for", p.name, o.Key)
			case o.Key <= last:
				return nil, fmt.Errorf("listing bucket %s: the store does not list in the order of keys: %.80q comes after %.80q", p.name, o.Key, last)
			default:
				last = o.Key
			}
		}
		if len(page) == 0 && more {
			return nil, fmt.Errorf("listing bucket %s: a page is empty that is not the last", p.name)
		}
		p.page, p.more = page, more
	}
	if len(p.page) == 0 {
		return nil, nil
	}
	return &p.page[0], nil
}

func (p *pages) take() {
	p.last, p.page = p.page[0].Key, p.page[1:]
}
