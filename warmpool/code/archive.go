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
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/disk"
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
// it is whole under its final name or is not there, after a power cut too. A tree that
// something else has damaged is found at its first use and made again.
//
//	DIR/archive/DIGEST        the archive, byte for byte
//	DIR/tree/DIGEST/          what is in it
//	DIR/merged/DIGEST/        several trees as one (layers); DIGEST is of their list. Or a copy of
//	                          a folder of the user's own; DIGEST is of its content
//	DIR/compiled/DIGEST-KIND/ one of these trees with bytecode for a kind of interpreter
//	DIR/starts/DIGEST-KEY/    what a runtime made of the code of a tree, so that it starts sooner
//	DIR/new/                  what is being written
type Store struct {
	dir    string
	log    *zap.Logger
	shared *Shared // nil: this node is alone
	drafts *drafts

	mu      sync.Mutex // guards what follows
	flights map[string]*flight
	files   map[string]fileState // archives outside the store, by path
	merged  map[string]struct{}  // names below merged that this process has given out
	whole   map[string]struct{}  // trees and merged trees that this process has made or checked
	doubted map[string]struct{}  // trees of archives that were added again: they are read to their end
	copies  map[string]copied    // folders of the user's own, by path
	// copiedBytes is the size of all copies that this process has made.
	copiedBytes int64

	// collecting is write-locked between the check of an entry and its removal, and
	// read-locked while an archive is put in its place. Otherwise the collection could remove
	// an archive that is uploaded again in between.
	collecting sync.RWMutex
}

// A flight is work that others wait for.
type flight struct {
	done chan struct{}
	err  error
}

// OpenStore opens the store in dir, or makes it, and removes what predecessors left
// unfinished. Close it at the end.
func OpenStore(dir string, log *zap.Logger) (*Store, error) {
	s := &Store{dir: dir, log: log, flights: make(map[string]*flight), files: make(map[string]fileState), merged: make(map[string]struct{}),
		whole: make(map[string]struct{}), doubted: make(map[string]struct{}), copies: make(map[string]copied)}
	for _, sub := range []string{"archive", "tree", "merged", "compiled", "starts", "new"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, fmt.Errorf("code store: %w", err)
		}
	}
	var err error
	if s.drafts, err = openDrafts(s.path("new", "")); err != nil {
		return nil, fmt.Errorf("code store: %w", err)
	}
	return s, nil
}

// Close ends the use of the store by this process.
func (s *Store) Close() error { return s.drafts.close() }

func (s *Store) path(kind, name string) string { return filepath.Join(s.dir, kind, name) }

// Share makes archives that are added here available to all nodes, and archives of other nodes
// available here. It is called before the store is used.
func (s *Store) Share(shared *Shared) { s.shared = shared }

// Add stores the content of r as an archive. It checks that the archive can be unpacked. It
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
	s.collecting.RLock()
	err = disk.Keep(file, 0o600, s.path("archive", string(a.Digest)))
	s.collecting.RUnlock()
	if err != nil {
		return Archive{}, fmt.Errorf("code store: %w", err)
	}
	s.doubt(s.Tree(a.Digest))
	return a, nil
}

// Open returns the bytes of an archive, also if only another node has it. The error is
// fs.ErrNotExist if no node has it.
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

// fetch copies an archive of another node, and checks its digest.
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
	if err := disk.Keep(file, 0o600, s.path("archive", string(d))); err != nil {
		return fmt.Errorf("code store: %w", err)
	}
	return nil
}

func (s *Store) open(d Digest) (*os.File, error) {
	if !d.valid() {
		return nil, fmt.Errorf("code archive %.64q: %w", d, fs.ErrNotExist)
	}
	return os.Open(s.path("archive", string(d)))
}

// Collect removes unused archives with their trees, merged trees that this process has not
// given out, and what was made of either. An archive is unused if keep refuses its digest and no archive outside the store
// has that digest. Collect only removes entries that are older than age, because an upload is
// stored before something refers to it.
func (s *Store) Collect(ctx context.Context, keep func(Digest) bool, age time.Duration) error {
	s.mu.Lock()
	outside := make(map[Digest]struct{}, len(s.files))
	for _, f := range s.files {
		outside[f.digest] = struct{}{}
	}
	given := maps.Clone(s.merged)
	s.mu.Unlock()
	used := func(kind string, d Digest) bool {
		if _, merged := given[string(d)]; merged || kind == "merged" {
			return merged
		}
		_, used := outside[d]
		return used || keep(d)
	}
	var errs []error
	for _, kind := range []string{"archive", "tree", "merged", "compiled", "starts"} {
		entries, err := os.ReadDir(s.path(kind, ""))
		if err != nil {
			return fmt.Errorf("code store: %w", err)
		}
		for _, e := range entries {
			if d := digestOfCompiled(e.Name()); d.valid() && !used(kind, d) {
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

// takeAway renames an entry out of the way in one step, so that no reader finds half a tree.
// gone is "" if the entry is younger than age, or no longer exists.
func (s *Store) takeAway(kind, name string, age time.Duration) (gone string, err error) {
	s.collecting.Lock()
	defer s.collecting.Unlock()
	if written, err := s.written(kind, name); err != nil || time.Since(written) < age {
		return "", ignoreMissing(err)
	}
	gone = s.path("new", "gone-"+kind+"-"+name)
	if err := os.RemoveAll(gone); err != nil { // of a predecessor
		return "", err
	}
	if err := os.Rename(s.path(kind, name), gone); err != nil {
		return "", ignoreMissing(err)
	}
	s.mu.Lock()
	delete(s.whole, s.path(kind, name))
	for path := range s.whole { // what was compiled of it is compared with its successor
		if kind != "compiled" && strings.HasPrefix(path, s.path("compiled", name)) {
			delete(s.whole, path)
		}
	}
	s.mu.Unlock()
	return gone, nil
}

// written is when an entry was written. For a tree it is when its archive was written, because
// an archive that is added again uses the existing tree.
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
