package artefact

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hearthfn/hearth/warmpool/disk"
)

// Bounds of what is kept.
const (
	MaxObject  = 1 << 30 // bytes
	MaxBuckets = 100
	MaxEntries = 20_000 // objects and parts together
	MaxUploads = 100
	MaxParts   = 10_000 // the number of a part
	MaxKey     = 1024   // bytes
)

// Errors of what a client asks for.
var (
	ErrNoBucket = errors.New("no such bucket")
	ErrNoObject = errors.New("no such object")
	ErrNoUpload = errors.New("no such upload")
	ErrExists   = errors.New("the bucket exists")
	ErrNotEmpty = errors.New("the bucket is not empty")
	ErrTooMany  = errors.New("as many are kept as may be")
	ErrFull     = errors.New("no room for more bytes")
	ErrTooLarge = errors.New("object is too large")
)

// A Bucket is what is kept of a bucket.
type Bucket struct {
	Name         string
	Created      time.Time
	Versioning   string            `json:",omitempty"` // "" or Suspended
	PublicAccess bool              `json:",omitempty"` // a configuration that blocks all public access was put
	Tags         map[string]string `json:",omitempty"`

	objects map[string]*Object
	keys    []string // of objects, in order
}

// Attributes are what a client says of an object.
type Attributes struct {
	Header   map[string]string `json:",omitempty"` // Content-Type and the like
	Metadata map[string]string `json:",omitempty"` // names in lower case, without x-amz-meta-
}

// A Sum is a checksum: its algorithm (crc32, crc32c, crc64nvme, sha1, sha256), its value in
// base64, and whether it is of the whole (FULL_OBJECT) or of the checksums of parts (COMPOSITE).
type Sum struct{ Algorithm, Value, Type string }

// An Object is what is kept of an object. It does not change once it is kept.
type Object struct {
	Attributes
	Key      string
	Blob     string // the SHA-256 of the content, in hexadecimal
	Size     int64  // bytes
	ETag     string // without quotes
	Sum      Sum
	Parts    int `json:",omitempty"`
	Modified time.Time
}

// A Store keeps objects. Several goroutines may use it.
type Store struct {
	dir   string
	block cipher.Block
	limit int64 // bytes; guarded by mu

	// writing orders changes of files, so that the index has what the files have. It is held
	// while small files are written; contents are written before.
	writing sync.Mutex

	mu             sync.RWMutex // guards what follows
	buckets        map[string]*Bucket
	uploads        map[string]*Upload
	blobs          map[string]*blob
	used, reserved int64 // bytes of contents, and of drafts
	entries        int
}

type blob struct {
	size int64
	refs int
}

// Open opens the store in dir, or makes it, and removes what a crash has left half made.
func Open(dir string, limit int64) (*Store, error) {
	s := &Store{dir: dir, limit: limit, buckets: make(map[string]*Bucket), uploads: make(map[string]*Upload), blobs: make(map[string]*blob)}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("artefacts: %w", err)
	}
	return s, nil
}

func (s *Store) open() error {
	if err := os.RemoveAll(s.path("new")); err != nil {
		return err
	}
	for _, sub := range []string{"blob", "bucket", "upload", "new"} {
		if err := os.MkdirAll(s.path(sub), 0o700); err != nil {
			return err
		}
	}
	secret, err := os.ReadFile(s.path("key"))
	if errors.Is(err, fs.ErrNotExist) {
		secret = make([]byte, 32)
		rand.Read(secret) // never fails
		err = disk.Replace(s.path("key"), secret, 0o600)
	}
	if err != nil {
		return err
	}
	if s.block, err = aes.NewCipher(secret); err != nil {
		return err
	}
	if err := s.readBuckets(); err != nil {
		return err
	}
	if err := s.readUploads(); err != nil {
		return err
	}
	return s.sweep()
}

func (s *Store) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

func (s *Store) readBuckets() error {
	folders, err := os.ReadDir(s.path("bucket"))
	if err != nil {
		return err
	}
	for _, folder := range folders {
		b := &Bucket{objects: make(map[string]*Object)}
		err := readJSON(s.path("bucket", folder.Name(), "bucket.json"), b)
		if errors.Is(err, fs.ErrNotExist) { // half made, or half removed
			err = os.RemoveAll(s.path("bucket", folder.Name()))
			if err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		err = each(s.path("bucket", folder.Name()), "bucket.json", func(path string) error {
			o := new(Object)
			if err := readJSON(path, o); err != nil {
				return err
			}
			b.objects[o.Key] = o
			b.keys = append(b.keys, o.Key)
			s.refer(o.Blob, o.Size)
			s.entries++
			return nil
		})
		if err != nil {
			return err
		}
		slices.Sort(b.keys)
		s.buckets[b.Name] = b
	}
	return nil
}

// each calls f with the paths of the files in a folder, except for one, and removes those that
// were not written to their end.
func each(dir, except string, f func(path string) error) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, file := range files {
		path := filepath.Join(dir, file.Name())
		if strings.HasPrefix(file.Name(), ".") {
			if err := os.Remove(path); err != nil {
				return err
			}
		} else if file.Name() != except {
			if err := f(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweep removes contents that nothing refers to.
func (s *Store) sweep() error {
	files, err := os.ReadDir(s.path("blob"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if s.blobs[file.Name()] == nil {
			if err := os.Remove(s.path("blob", file.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func writeJSON(path string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return disk.Replace(path, text, 0o600)
}

// remove removes a file so that it is gone after a power cut, too.
func remove(path string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	return disk.SyncDir(filepath.Dir(path))
}

func objectFile(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:]) + ".json"
}

// refer counts one more that has a content. mu is held, or nobody else has the store yet.
func (s *Store) refer(digest string, size int64) {
	b := s.blobs[digest]
	if b == nil {
		b = &blob{size: size}
		s.blobs[digest] = b
		s.used += size
	}
	b.refs++
}

// release counts one less. The caller removes the file if nobody has the content any more. mu
// is held.
func (s *Store) release(digest string) (last bool) {
	b := s.blobs[digest]
	if b.refs--; b.refs > 0 {
		return false
	}
	delete(s.blobs, digest)
	s.used -= b.size
	return true
}

// Resize sets how many bytes all contents may have together.
func (s *Store) Resize(limit int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = limit
}
