package artefact

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"os"

	"github.com/hearthfn/hearth/warmpool/disk"
)

// A Draft is a content that is being written. Close it in any case.
type Draft struct {
	store    *Store
	file     *os.File
	stream   cipher.Stream
	sha, md5 hash.Hash
	buffer   []byte
	size     int64
	reserved int64
}

// Draft reserves room for size bytes, which may not be exceeded.
func (s *Store) Draft(size int64) (*Draft, error) {
	if size > MaxObject {
		return nil, ErrTooLarge
	}
	s.mu.Lock()
	full := s.used+s.reserved+size > s.limit
	if !full {
		s.reserved += size
	}
	s.mu.Unlock()
	if full {
		return nil, ErrFull
	}
	d := &Draft{store: s, sha: sha256.New(), md5: md5.New(), reserved: size}
	var err error
	if d.file, err = os.CreateTemp(s.path("new"), "draft-"); err != nil {
		d.Close()
		return nil, err
	}
	nonce := make([]byte, aes.BlockSize)
	rand.Read(nonce) // never fails
	if _, err := d.file.Write(nonce); err != nil {
		d.Close()
		return nil, err
	}
	d.stream = cipher.NewCTR(s.block, nonce)
	return d, nil
}

// Write implements io.Writer.
func (d *Draft) Write(p []byte) (int, error) {
	if d.size += int64(len(p)); d.size > d.reserved {
		return 0, ErrTooLarge
	}
	d.sha.Write(p)
	d.md5.Write(p)
	if cap(d.buffer) < len(p) {
		d.buffer = make([]byte, len(p))
	}
	b := d.buffer[:len(p)]
	d.stream.XORKeyStream(b, p)
	return d.file.Write(b)
}

// Size is how many bytes were written.
func (d *Draft) Size() int64 { return d.size }

// SHA256 is the hash of what was written, in hexadecimal.
func (d *Draft) SHA256() string { return hex.EncodeToString(d.sha.Sum(nil)) }

// MD5 is the hash of what was written.
func (d *Draft) MD5() []byte { return d.md5.Sum(nil) }

// Close gives the room back. It removes what was not kept.
func (d *Draft) Close() {
	if d.file != nil {
		d.file.Close()           // it may be closed
		os.Remove(d.file.Name()) // fails when it has been renamed
		d.file = nil
	}
	d.store.mu.Lock()
	d.store.reserved -= d.reserved
	d.store.mu.Unlock()
	d.reserved = 0
}

// sync has the draft on the disk, before the store is locked.
func (d *Draft) sync() error { return d.file.Sync() }

// keep makes a draft a content. writing is held.
func (d *Draft) keep() (digest string, err error) {
	digest = d.SHA256()
	d.store.mu.RLock()
	known := d.store.blobs[digest] != nil
	d.store.mu.RUnlock()
	if known {
		return digest, nil
	}
	return digest, disk.Rename(d.file.Name(), d.store.path("blob", digest))
}

// A Content reads a content from an offset.
type Content struct {
	file   *os.File
	reader io.Reader
}

// Content opens the content of an object, from an offset on. The error is ErrNoObject if the
// object was removed meanwhile.
func (s *Store) Content(digest string, offset int64) (*Content, error) {
	file, err := os.Open(s.path("blob", digest))
	if os.IsNotExist(err) {
		return nil, ErrNoObject
	}
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aes.BlockSize)
	if _, err := io.ReadFull(file, nonce); err != nil {
		file.Close()
		return nil, err
	}
	// The counter is the nonce as a number, and one more for each block.
	carry := uint64(offset / aes.BlockSize)
	for i := len(nonce) - 1; i >= 0 && carry > 0; i-- {
		carry += uint64(nonce[i])
		nonce[i] = byte(carry)
		carry >>= 8
	}
	stream := cipher.NewCTR(s.block, nonce)
	if _, err := file.Seek(aes.BlockSize+offset/aes.BlockSize*aes.BlockSize, io.SeekStart); err != nil {
		file.Close()
		return nil, err
	}
	c := &Content{file, cipher.StreamReader{S: stream, R: file}}
	if _, err := io.CopyN(io.Discard, c, offset%aes.BlockSize); err != nil && err != io.EOF {
		file.Close()
		return nil, err
	}
	return c, nil
}

// Read implements io.Reader.
func (c *Content) Read(p []byte) (int, error) { return c.reader.Read(p) }

// Close implements io.Closer.
func (c *Content) Close() error { return c.file.Close() }
