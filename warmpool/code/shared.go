package code

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/hearthfn/hearth/warmpool/state"
)

// A Shared stores archives for all nodes, in chunks in records.
//
//	code/DIGEST    chunk/000000 ...   parts of the archive
//	               head               written when all of them are there
type Shared struct {
	records state.Records
}

// NewShared makes a Shared of the archives in records.
func NewShared(records state.Records) *Shared { return &Shared{records} }

// Parts of an archive.
const (
	ownerCode   = "code/"
	chunkSize   = 512 << 10 // bytes; a record has 1 MB at most
	chunkPage   = 4
	recordHead  = "head"
	prefixChunk = "chunk/"
)

type sharedHead struct {
	Size   int64
	Chunks int
	Added  time.Time

	revision state.Revision
}

func chunkName(n int) string { return fmt.Sprintf("%s%06d", prefixChunk, n) }

// put stores an archive. If the archive exists, put marks it as added now, so that nobody
// removes it before something refers to it.
func (s *Shared) put(ctx context.Context, d Digest, r io.Reader, size int64) error {
	owner := ownerCode + string(d)
	head := sharedHead{Size: size, Chunks: int((size + chunkSize - 1) / chunkSize), Added: time.Now().UTC()}
	if _, err := s.head(ctx, d); err == nil {
		return s.putHead(ctx, owner, head)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	buffer := make([]byte, chunkSize)
	for n := range head.Chunks {
		length, err := io.ReadFull(r, buffer)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("share code: %w", err)
		}
		if _, err := s.records.Change(ctx, owner, state.Put(chunkName(n), state.Any, buffer[:length])); err != nil {
			return fmt.Errorf("share code: %w", err)
		}
	}
	return s.putHead(ctx, owner, head)
}

func (s *Shared) putHead(ctx context.Context, owner string, head sharedHead) error {
	value, err := json.Marshal(head)
	if err != nil {
		return err
	}
	if _, err := s.records.Change(ctx, owner, state.Put(recordHead, state.Any, value)); err != nil {
		return fmt.Errorf("share code: %w", err)
	}
	return nil
}

func (s *Shared) head(ctx context.Context, d Digest) (sharedHead, error) {
	var head sharedHead
	record, err := s.records.Read(ctx, state.Key{Owner: ownerCode + string(d), Name: recordHead})
	if errors.Is(err, state.ErrNotFound) {
		return head, fmt.Errorf("code archive %.12s: %w", d, fs.ErrNotExist)
	}
	if err != nil {
		return head, fmt.Errorf("shared code: %w", err)
	}
	if err := json.Unmarshal(record.Value, &head); err != nil {
		return head, fmt.Errorf("shared code %.12s: %w", d, err)
	}
	head.revision = record.Revision
	return head, nil
}

// get writes an archive to w.
func (s *Shared) get(ctx context.Context, d Digest, w io.Writer) error {
	head, err := s.head(ctx, d)
	if err != nil {
		return err
	}
	written, after := int64(0), ""
	for written < head.Size {
		page, err := s.records.List(ctx, ownerCode+string(d), prefixChunk, after, chunkPage)
		if err != nil {
			return fmt.Errorf("shared code: %w", err)
		}
		if len(page) == 0 {
			return fmt.Errorf("shared code %.12s: %w: %d of %d bytes are there", d, io.ErrUnexpectedEOF, written, head.Size)
		}
		for _, chunk := range page {
			n, err := w.Write(chunk.Value)
			if err != nil {
				return err
			}
			written, after = written+int64(n), chunk.Name
		}
	}
	return nil
}

// collect removes archives that keep refuses and that were added longer ago than age.
func (s *Shared) collect(ctx context.Context, keep func(Digest) bool, age time.Duration) error {
	for after := ""; ; {
		owners, err := s.records.Owners(ctx, ownerCode, after, 256)
		if err != nil {
			return fmt.Errorf("shared code: %w", err)
		}
		for _, owner := range owners {
			after = owner
			d := Digest(owner[len(ownerCode):])
			if keep(d) {
				continue
			}
			// Without a head an upload is under way, or was broken off: the next one of
			// the same code writes the same chunks.
			head, err := s.head(ctx, d)
			if err != nil || time.Since(head.Added) < age {
				continue
			}
			err = s.remove(ctx, owner, head.revision)
			if err != nil && !errors.Is(err, state.ErrConflict) { // added again meanwhile
				return err
			}
		}
		if len(owners) < 256 {
			return nil
		}
	}
}

// remove removes the head first, so that no reader finds half an archive.
func (s *Shared) remove(ctx context.Context, owner string, revision state.Revision) error {
	if _, err := s.records.Change(ctx, owner, state.Delete(recordHead, revision)); err != nil {
		return fmt.Errorf("shared code: %w", err)
	}
	for {
		page, err := s.records.List(ctx, owner, prefixChunk, "", chunkPage)
		if err != nil || len(page) == 0 {
			return err
		}
		var changes []state.Change
		for _, chunk := range page {
			changes = append(changes, state.Delete(chunk.Name, state.Any))
		}
		if _, err := s.records.Change(ctx, owner, changes...); err != nil {
			return fmt.Errorf("shared code: %w", err)
		}
	}
}
