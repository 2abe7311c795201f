package artefact

import (
	"os"
	"slices"
	"strings"
	"time"
)

// Buckets are all buckets by their names.
func (s *Store) Buckets() []Bucket {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []Bucket
	for _, b := range s.buckets {
		all = append(all, b.plain())
	}
	slices.SortFunc(all, func(a, b Bucket) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// plain is a bucket without what only the store may use.
func (b *Bucket) plain() Bucket {
	p := *b
	p.objects, p.keys = nil, nil
	return p
}

// Bucket is a bucket by its name, or ErrNoBucket.
func (s *Store) Bucket(name string) (Bucket, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b := s.buckets[name]
	if b == nil {
		return Bucket{}, ErrNoBucket
	}
	return b.plain(), nil
}

// CreateBucket makes a bucket. The caller has checked its name. The error is ErrExists or
// ErrTooMany.
func (s *Store) CreateBucket(b Bucket) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.RLock()
	known, count := s.buckets[b.Name] != nil, len(s.buckets)
	s.mu.RUnlock()
	switch {
	case known:
		return ErrExists
	case count >= MaxBuckets:
		return ErrTooMany
	}
	b.Created = now()
	if err := os.MkdirAll(s.path("bucket", b.Name), 0o700); err != nil {
		return err
	}
	if err := writeJSON(s.path("bucket", b.Name, "bucket.json"), &b); err != nil {
		return err
	}
	b.objects = make(map[string]*Object)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buckets[b.Name] = &b
	return nil
}

// now is the time as S3 has it: in seconds.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// ChangeBucket lets change change what is kept of a bucket.
func (s *Store) ChangeBucket(name string, change func(b *Bucket)) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	next, err := s.Bucket(name)
	if err != nil {
		return err
	}
	change(&next)
	if err := writeJSON(s.path("bucket", name, "bucket.json"), &next); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.buckets[name]
	next.objects, next.keys = before.objects, before.keys
	s.buckets[name] = &next
	return nil
}

// DeleteBucket removes a bucket, or fails with ErrNotEmpty.
func (s *Store) DeleteBucket(name string) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.RLock()
	b := s.buckets[name]
	empty := b != nil && len(b.keys) == 0
	var uploads []string
	for id, u := range s.uploads {
		if u.Bucket == name {
			uploads = append(uploads, id)
		}
	}
	s.mu.RUnlock()
	switch {
	case b == nil:
		return ErrNoBucket
	case !empty:
		return ErrNotEmpty
	}
	for _, id := range uploads {
		if err := s.dropUpload(id); err != nil {
			return err
		}
	}
	if err := remove(s.path("bucket", name, "bucket.json")); err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.buckets, name)
	s.mu.Unlock()
	return os.RemoveAll(s.path("bucket", name))
}

// Object is an object by its key, or ErrNoBucket or ErrNoObject.
func (s *Store) Object(bucket, key string) (*Object, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b := s.buckets[bucket]
	if b == nil {
		return nil, ErrNoBucket
	}
	o := b.objects[key]
	if o == nil {
		return nil, ErrNoObject
	}
	return o, nil
}

// Put keeps a draft as an object, if allow, which gets the object that is there (nil: none),
// returns no error. d nil: the content is another object's, by its digest.
func (s *Store) Put(bucket string, o *Object, d *Draft, allow func(before *Object) error) error {
	if d != nil {
		if err := d.sync(); err != nil {
			return err
		}
		o.Size = d.Size()
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.put(bucket, o, d, allow)
}

// put does what Put does. writing is held.
func (s *Store) put(bucket string, o *Object, d *Draft, allow func(before *Object) error) error {
	s.mu.RLock()
	b := s.buckets[bucket]
	var before *Object
	if b != nil {
		before = b.objects[o.Key]
	}
	full := before == nil && s.entries >= MaxEntries
	gone := d == nil && s.blobs[o.Blob] == nil
	s.mu.RUnlock()
	switch {
	case b == nil:
		return ErrNoBucket
	case gone:
		return ErrNoObject
	}
	if err := allow(before); err != nil {
		return err
	}
	if full {
		return ErrTooMany
	}
	if d != nil {
		var err error
		if o.Blob, err = d.keep(); err != nil {
			return err
		}
	}
	o.Modified = now()
	if err := writeJSON(s.path("bucket", bucket, objectFile(o.Key)), o); err != nil {
		s.abandon(o.Blob)
		return err
	}
	s.mu.Lock()
	b = s.buckets[bucket]
	b.objects[o.Key] = o
	s.refer(o.Blob, o.Size)
	last := false
	if before != nil {
		last = s.release(before.Blob)
	} else {
		s.entries++
		at, _ := slices.BinarySearch(b.keys, o.Key)
		b.keys = slices.Insert(b.keys, at, o.Key)
	}
	s.mu.Unlock()
	if last {
		return os.Remove(s.path("blob", before.Blob))
	}
	return nil
}

// abandon removes a content that nothing refers to, after a failure. writing is held.
func (s *Store) abandon(digest string) {
	s.mu.RLock()
	used := s.blobs[digest] != nil
	s.mu.RUnlock()
	if !used {
		_ = os.Remove(s.path("blob", digest)) // else the next start removes it
	}
}

// Delete removes an object. It is no error if there is none.
func (s *Store) Delete(bucket, key string) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	o, err := s.Object(bucket, key)
	if err == ErrNoObject {
		return nil
	}
	if err != nil {
		return err
	}
	if err := remove(s.path("bucket", bucket, objectFile(key))); err != nil {
		return err
	}
	s.mu.Lock()
	b := s.buckets[bucket]
	delete(b.objects, key)
	at, _ := slices.BinarySearch(b.keys, key)
	b.keys = slices.Delete(b.keys, at, at+1)
	s.entries--
	last := s.release(o.Blob)
	s.mu.Unlock()
	if last {
		return os.Remove(s.path("blob", o.Blob))
	}
	return nil
}

// A Page is a part of a list. Names holds objects and common prefixes in order.
type Page struct {
	Objects  []*Object
	Prefixes []string
	Next     string // what the next page comes after; "": this is the last
}

// List lists the objects of a bucket whose keys begin with prefix and come after the key or
// common prefix after: most objects and common prefixes at most.
func (s *Store) List(bucket, prefix, delimiter, after string, most int) (Page, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var page Page
	b := s.buckets[bucket]
	if b == nil {
		return page, ErrNoBucket
	}
	at, _ := slices.BinarySearch(b.keys, max(prefix, after))
	last := ""
	for _, key := range b.keys[at:] {
		if !strings.HasPrefix(key, prefix) {
			break
		}
		name, common := key, false
		if delimiter != "" {
			if head, _, found := strings.Cut(key[len(prefix):], delimiter); found {
				name, common = prefix+head+delimiter, true
			}
		}
		if key <= after || common && (name == last || name == after) {
			continue
		}
		if len(page.Objects)+len(page.Prefixes) == most {
			page.Next = last
			return page, nil
		}
		if last = name; common {
			page.Prefixes = append(page.Prefixes, name)
		} else {
			page.Objects = append(page.Objects, b.objects[key])
		}
	}
	return page, nil
}
