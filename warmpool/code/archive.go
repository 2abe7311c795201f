package code

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Limits of code, as Lambda has them.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const (
	MaxUpload   = 50 << 20    // bytes of an archive that comes with a request
	MaxArchive  = 262_144_000 // bytes of any archive
	MaxUnpacked = 262_144_000 // bytes of a function unpacked, its layers included
	MaxLayers   = 5
)

// A Digest is the SHA-256 of an archive, in hexadecimal.
type Digest string

// Base64 is the digest as CodeSha256 has it.
func (d Digest) Base64() string {
	b, err := hex.DecodeString(string(d))
	if err != nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(b)
}

// DigestOf reads a digest as CodeSha256 has it.
func DigestOf(base64Text string) (Digest, error) {
	b, err := base64.StdEncoding.DecodeString(base64Text)
	if err != nil || len(b) != sha256.Size {
		return "", fmt.Errorf("code digest %.64q: not the base64 of a SHA-256", base64Text)
	}
	return Digest(hex.EncodeToString(b)), nil
}

func (d Digest) valid() bool {
	b, err := hex.DecodeString(string(d))
	return err == nil && len(b) == sha256.Size && hex.EncodeToString(b) == string(d)
}

// An Archive is code as it was uploaded.
type Archive struct {
	Digest Digest
	Size   int64 // bytes
}

// ErrTooLarge says that an archive is over the limit that its caller set.
var ErrTooLarge = errors.New("code archive is too large")

// A Store keeps archives by their digest, each unpacked once, whichever functions
// share it. Several goroutines, and processes, may use one folder: everything in
// it is whole under its final name or is not there.
//
//	DIR/archive/DIGEST        the archive, byte for byte
//	DIR/tree/DIGEST/          what is in it
//	DIR/merged/DIGEST/        several trees as one (layers); DIGEST is of their list
//	DIR/new/                  what is being written
type Store struct {
	dir    string
	log    *zap.Logger
	shared *Shared // nil: this node is alone

	mu      sync.Mutex // guards what follows
	flights map[string]*flight
	files   map[string]fileState // archives outside the store, by path
	merged  map[string]struct{}  // names below merged that this process has given out

	// collecting is held for writing between the look at an entry and its removal, and
	// for reading while an archive is put in its place: one that is uploaded again in
	// between would go in place of the old one.
	collecting sync.RWMutex
}

// A flight is work that others wait for.
type flight struct {
	done chan struct{}
	err  error
}

// OpenStore opens the store in dir, or makes it, and removes what a predecessor
// left unfinished more than a day ago.
func OpenStore(dir string, log *zap.Logger) (*Store, error) {
	s := &Store{dir: dir, log: log, flights: make(map[string]*flight), files: make(map[string]fileState), merged: make(map[string]struct{})}
	for _, sub := range []string{"archive", "tree", "merged", "new"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, fmt.Errorf("code store: %w", err)
		}
	}
	entries, err := os.ReadDir(s.path("new", ""))
	if err != nil {
		return nil, fmt.Errorf("code store: %w", err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > 24*time.Hour {
			if err := os.RemoveAll(s.path("new", e.Name())); err != nil {
				return nil, fmt.Errorf("code store: %w", err)
			}
		}
	}
	return s, nil
}

func (s *Store) path(kind, name string) string { return filepath.Join(s.dir, kind, name) }

// Share has archives that are added reach all nodes, and those of other nodes this one.
// It is called before the store is used.
func (s *Store) Share(shared *Shared) { s.shared = shared }

// Add stores what r has as an archive, checked to be one that can be unpacked. It
// fails with ErrTooLarge after limit bytes, and with ErrInvalid.
func (s *Store) Add(ctx context.Context, r io.Reader, limit int64) (Archive, error) {
	a, err := s.add(ctx, r, limit)
	if err != nil || s.shared == nil {
		return a, err
	}
	file, err := s.open(a.Digest)
	if err != nil {
		return a, err
	}
	defer file.Close() // it was only read
	return a, s.shared.put(ctx, a.Digest, file, a.Size)
}

func (s *Store) add(_ context.Context, r io.Reader, limit int64) (Archive, error) {
	file, err := os.CreateTemp(s.path("new", ""), "archive-")
	if err != nil {
		return Archive{}, fmt.Errorf("code store: %w", err)
	}
	defer os.Remove(file.Name()) // fails when it has been renamed
	defer file.Close()
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(file, hash), io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return Archive{}, fmt.Errorf("code store: %w", err)
	case n > limit:
		return Archive{}, fmt.Errorf("%w: over %d bytes", ErrTooLarge, limit)
	}
	if _, err := inspect(file, n); err != nil {
		return Archive{}, err
	}
	a := Archive{Digest(hex.EncodeToString(hash.Sum(nil))), n}
	if err := errors.Join(file.Sync(), file.Chmod(0o600), file.Close()); err != nil {
		return Archive{}, fmt.Errorf("code store: %w", err)
	}
	s.collecting.RLock()
	err = os.Rename(file.Name(), s.path("archive", string(a.Digest)))
	s.collecting.RUnlock()
	if err != nil {
		return Archive{}, fmt.Errorf("code store: %w", err)
	}
	return a, syncDir(s.path("archive", ""))
}

// Open returns the bytes of an archive, which may be another node's. The error is
// fs.ErrNotExist for one that is not there.
func (s *Store) Open(ctx context.Context, d Digest) (*os.File, error) {
	file, err := s.open(d)
	if s.shared == nil || !d.valid() || !errors.Is(err, fs.ErrNotExist) {
		return file, err
	}
	if err := s.fetch(ctx, d); err != nil {
		return nil, err
	}
	return s.open(d)
}

// fetch brings an archive of another node here, if it is what its digest says.
func (s *Store) fetch(ctx context.Context, d Digest) error {
	file, err := os.CreateTemp(s.path("new", ""), "archive-")
	if err != nil {
		return fmt.Errorf("code store: %w", err)
	}
	defer os.Remove(file.Name()) // fails when it has been renamed
	defer file.Close()
	hash := sha256.New()
	if err := s.shared.get(ctx, d, io.MultiWriter(file, hash)); err != nil {
		return err
	}
	if got := Digest(hex.EncodeToString(hash.Sum(nil))); got != d {
		return fmt.Errorf("shared code %.12s: its digest is %.12s", d, got)
	}
	if err := errors.Join(file.Sync(), file.Chmod(0o600), file.Close(), os.Rename(file.Name(), s.path("archive", string(d)))); err != nil {
		return fmt.Errorf("code store: %w", err)
	}
	return syncDir(s.path("archive", ""))
}

func (s *Store) open(d Digest) (*os.File, error) {
	if !d.valid() {
		return nil, fmt.Errorf("code archive %.64q: %w", d, fs.ErrNotExist)
	}
	return os.Open(s.path("archive", string(d)))
}

// Tree is the folder that an archive is unpacked in, or would be. Unpack makes it.
func (s *Store) Tree(d Digest) string { return s.path("tree", string(d)) }

// Holds reports whether a path is that of a tree, which never changes.
func (s *Store) Holds(path string) bool {
	return filepath.Dir(path) == s.path("tree", "") && Digest(filepath.Base(path)).valid()
}

// Unpack returns the folder that holds what is in an archive, unpacked if it has
// not been yet. Nobody may change what is in it.
func (s *Store) Unpack(ctx context.Context, d Digest) (string, error) {
	if !d.valid() {
		return "", fmt.Errorf("code archive %.64q: %w", d, fs.ErrNotExist)
	}
	tree := s.Tree(d)
	return tree, s.once(ctx, tree, func(into string) error {
		file, err := s.Open(ctx, d)
		if err != nil {
			return err
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return err
		}
		return unpack(file, info.Size(), into)
	})
}

// once makes the folder target by work, in a place of its own that is renamed when
// it is whole. Callers at the same time wait for the one that works; its error is
// theirs, and the next call tries again.
func (s *Store) once(ctx context.Context, target string, work func(into string) error) error {
	if _, err := os.Stat(target); err == nil {
		return nil
	}
	s.mu.Lock()
	f := s.flights[target]
	if f != nil {
		s.mu.Unlock()
		select {
		case <-f.done:
			return f.err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	f = &flight{done: make(chan struct{})}
	s.flights[target] = f
	s.mu.Unlock()

	f.err = s.make(target, work)
	s.mu.Lock()
	delete(s.flights, target)
	s.mu.Unlock()
	close(f.done)
	return f.err
}

func (s *Store) make(target string, work func(into string) error) error {
	into, err := os.MkdirTemp(s.path("new", ""), "tree-")
	if err != nil {
		return fmt.Errorf("code store: %w", err)
	}
	defer os.RemoveAll(into) // is gone when it has been renamed
	if err := os.Chmod(into, 0o755); err != nil {
		return fmt.Errorf("code store: %w", err)
	}
	if err := work(into); err != nil {
		return err
	}
	err = os.Rename(into, target)
	if errors.Is(err, fs.ErrExist) {
		return nil // another process was quicker
	}
	if err != nil {
		return fmt.Errorf("code store: %w", err)
	}
	return nil
}

// Collect removes what nobody refers to any more and is older than age, for an
// upload is stored before it is referred to: archives, and their trees, whose digest
// keep does not take and which are no archive's outside the store, and merged trees
// that this process has not given out.
func (s *Store) Collect(ctx context.Context, keep func(Digest) bool, age time.Duration) error {
	s.mu.Lock()
	outside := make(map[Digest]struct{}, len(s.files))
	for _, f := range s.files {
		outside[f.digest] = struct{}{}
	}
	given := maps.Clone(s.merged)
	s.mu.Unlock()
	used := func(kind, name string) bool {
		if kind == "merged" {
			_, used := given[name]
			return used
		}
		_, used := outside[Digest(name)]
		return used || keep(Digest(name))
	}
	var errs []error
	for _, kind := range []string{"archive", "tree", "merged"} {
		entries, err := os.ReadDir(s.path(kind, ""))
		if err != nil {
			return fmt.Errorf("code store: %w", err)
		}
		for _, e := range entries {
			if Digest(e.Name()).valid() && !used(kind, e.Name()) {
				errs = append(errs, s.removeOld(kind, e.Name(), age))
			}
		}
	}
	if s.shared != nil {
		errs = append(errs, s.shared.collect(ctx, keep, age))
	}
	return errors.Join(errs...)
}

// removeOld removes an entry unless it is younger than age.
func (s *Store) removeOld(kind, name string, age time.Duration) error {
	gone, err := s.takeAway(kind, name, age)
	if err != nil || gone == "" {
		return err
	}
	return os.RemoveAll(gone)
}

// takeAway renames an entry out of the way in one step, so that nobody finds half a
// tree; gone is "" if it is younger than age, or not there any more.
func (s *Store) takeAway(kind, name string, age time.Duration) (gone string, err error) {
	s.collecting.Lock()
	defer s.collecting.Unlock()
	if written, err := s.written(kind, name); err != nil || time.Since(written) < age {
		return "", ignoreMissing(err)
	}
	gone = s.path("new", "gone-"+kind+"-"+name)
	if err := os.Rename(s.path(kind, name), gone); err != nil {
		return "", ignoreMissing(err)
	}
	return gone, nil
}

// written is when an entry was, or the archive of a tree: one that is added again
// finds its tree there.
func (s *Store) written(kind, name string) (time.Time, error) {
	info, err := os.Stat(s.path(kind, name))
	if err != nil {
		return time.Time{}, err
	}
	if kind == "tree" {
		if archive, err := os.Stat(s.path("archive", name)); err == nil && archive.ModTime().After(info.ModTime()) {
			return archive.ModTime(), nil
		}
	}
	return info.ModTime(), nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
