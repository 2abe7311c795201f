package artefact

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"
)

// An Upload is an object that comes in parts.
type Upload struct {
	Attributes
	ID, Bucket, Key string
	Sum             Sum // without a value
	Started         time.Time

	parts map[int]*Part
}

// A Part is a part of an upload.
type Part struct {
	Number   int
	Blob     string
	Size     int64
	ETag     string
	Sum      Sum
	Modified time.Time
}

// abandoned is how old an upload is that makes room for others.
const abandoned = 24 * time.Hour

func (s *Store) readUploads() error {
	folders, err := os.ReadDir(s.path("upload"))
	if err != nil {
		return err
	}
	for _, folder := range folders {
		u := &Upload{parts: make(map[int]*Part)}
		err := readJSON(s.path("upload", folder.Name(), "upload.json"), u)
		if err == nil && s.buckets[u.Bucket] == nil {
			err = fs.ErrNotExist
		}
		if errors.Is(err, fs.ErrNotExist) {
			if err := os.RemoveAll(s.path("upload", folder.Name())); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		err = each(s.path("upload", u.ID), "upload.json", func(path string) error {
			p := new(Part)
			if err := readJSON(path, p); err != nil {
				return err
			}
			u.parts[p.Number] = p
			s.refer(p.Blob, p.Size)
			s.entries++
			return nil
		})
		if err != nil {
			return err
		}
		s.uploads[u.ID] = u
	}
	return nil
}

// StartUpload makes an upload. The error is ErrNoBucket or ErrTooMany. If there are too many,
// StartUpload removes those that are older than a day.
func (s *Store) StartUpload(u Upload) (*Upload, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if _, err := s.Bucket(u.Bucket); err != nil {
		return nil, err
	}
	for _, old := range s.Uploads("") {
		s.mu.RLock()
		full := len(s.uploads) >= MaxUploads
		s.mu.RUnlock()
		if full && time.Since(old.Started) > abandoned {
			if err := s.dropUpload(old.ID); err != nil {
				return nil, err
			}
		}
	}
	s.mu.RLock()
	full := len(s.uploads) >= MaxUploads
	s.mu.RUnlock()
	if full {
		return nil, ErrTooMany
	}
	u.ID, u.Started, u.parts = rand.Text(), now(), make(map[int]*Part)
	if err := os.Mkdir(s.path("upload", u.ID), 0o700); err != nil {
		return nil, err
	}
	if err := writeJSON(s.path("upload", u.ID, "upload.json"), &u); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uploads[u.ID] = &u
	return &u, nil
}

// Uploads are those of a bucket, or all, in order of their keys.
func (s *Store) Uploads(bucket string) []*Upload {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []*Upload
	for _, u := range s.uploads {
		if bucket == "" || u.Bucket == bucket {
			all = append(all, u)
		}
	}
	slices.SortFunc(all, func(a, b *Upload) int { return cmp.Or(cmp.Compare(a.Key, b.Key), a.Started.Compare(b.Started)) })
	return all
}

// Upload is an upload with its parts by their numbers, or ErrNoUpload.
func (s *Store) Upload(bucket, key, id string) (*Upload, []*Part, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	u := s.uploads[id]
	if u == nil || u.Bucket != bucket || u.Key != key {
		return nil, nil, ErrNoUpload
	}
	parts := slices.SortedFunc(maps.Values(u.parts), func(a, b *Part) int { return a.Number - b.Number })
	return u, parts, nil
}

func partFile(number int) string { return fmt.Sprintf("%05d.json", number) }

// PutPart keeps a draft as a part of an upload, in place of one with its number.
func (s *Store) PutPart(u *Upload, p *Part, d *Draft) error {
	if err := d.sync(); err != nil {
		return err
	}
	p.Size = d.Size()
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.RLock()
	there := s.uploads[u.ID] == u
	before := u.parts[p.Number]
	full := before == nil && s.entries >= MaxEntries
	s.mu.RUnlock()
	switch {
	case !there:
		return ErrNoUpload
	case full:
		return ErrTooMany
	}
	var err error
	if p.Blob, err = d.keep(); err != nil {
		return err
	}
	p.Modified = now()
	if err := writeJSON(s.path("upload", u.ID, partFile(p.Number)), p); err != nil {
		s.abandon(p.Blob)
		return err
	}
	s.mu.Lock()
	u.parts[p.Number] = p
	s.refer(p.Blob, p.Size)
	last := false
	if before != nil {
		last = s.release(before.Blob)
	} else {
		s.entries++
	}
	s.mu.Unlock()
	if last {
		return os.Remove(s.path("blob", before.Blob))
	}
	return nil
}

// Complete keeps a draft, which has the parts of an upload, as its object, and ends the upload.
func (s *Store) Complete(u *Upload, o *Object, d *Draft, allow func(before *Object) error) error {
	if err := d.sync(); err != nil {
		return err
	}
	o.Size = d.Size()
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.RLock()
	there := s.uploads[u.ID] == u
	s.mu.RUnlock()
	if !there {
		return ErrNoUpload
	}
	if err := s.put(u.Bucket, o, d, allow); err != nil {
		return err
	}
	return s.dropUpload(u.ID)
}

// Abort ends an upload.
func (s *Store) Abort(u *Upload) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.RLock()
	there := s.uploads[u.ID] == u
	s.mu.RUnlock()
	if !there {
		return ErrNoUpload
	}
	return s.dropUpload(u.ID)
}

// dropUpload removes an upload and its parts. writing is held.
func (s *Store) dropUpload(id string) error {
	if err := remove(s.path("upload", id, "upload.json")); err != nil {
		return err
	}
	s.mu.Lock()
	u := s.uploads[id]
	delete(s.uploads, id)
	var gone []string
	for _, p := range u.parts {
		s.entries--
		if s.release(p.Blob) {
			gone = append(gone, p.Blob)
		}
	}
	s.mu.Unlock()
	errs := []error{os.RemoveAll(s.path("upload", id))}
	for _, digest := range gone {
		errs = append(errs, os.Remove(s.path("blob", digest)))
	}
	return errors.Join(errs...)
}
