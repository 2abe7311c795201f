package sigv4

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Key is an access key.
type Key struct {
	ID       string // what requests name, 3 to 128 letters, digits and _
	Secret   string // at least 16 bytes
	ReadOnly bool   // it may not change anything, nor invoke

	// Of temporary credentials, see Session: the access key that they stem from, and what they
	// act as, nil for that key itself.
	Parent string
	Role   *Role
	// Environment is the execution environment that they stem from, "" for none; see
	// Environments.
	Environment string
	process     string // that has the environment
}

func (k *Key) check() error {
	if len(k.ID) < 3 || len(k.ID) > 128 || strings.ContainsFunc(k.ID, func(c rune) bool {
		return c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	}) {
		return fmt.Errorf("access key ID %q: 3 to 128 letters, digits and underscores are allowed", k.ID)
	}
	if len(k.Secret) < 16 {
		return fmt.Errorf("access key %s: its secret is too short, 16 bytes are the least", k.ID)
	}
	return nil
}

// A Config says whose signatures are good for what.
type Config struct {
	Keys     []Key
	Region   string           // that signatures must be for
	Services []string         // that signatures may be for, e.g. lambda
	Global   []string         // those of Services that clients sign for us-east-1, too
	Tokens   []byte           // 32 bytes, which encrypt session tokens; nil: there are none
	Now      func() time.Time // default time.Now
	// Environments have credentials of their own; nil: they have none.
	Environments *Environments
}

// A Verifier verifies signatures. It may be used by several goroutines.
type Verifier struct {
	region   string
	services []string
	global   []string
	now      func() time.Time
	keys     map[string]*holder
	tokens   cipher.AEAD // nil: there are no sessions

	environments *Environments // nil: there are none
	buffers      sync.Pool
}

// A holder is a key and the signing keys that were derived from it last: one for
// each service, for the day and the region are the same for nearly all requests.
type holder struct {
	Key
	derived []atomic.Pointer[derived] // as Verifier.services; nil for a session
}

// A derived has its key hashed already: that is half of the work of a short text.
type derived struct {
	day    string
	region string
	macs   sync.Pool // of hash.Hash
}

// New makes a verifier.
func New(c Config) (*Verifier, error) {
	if len(c.Keys) == 0 {
		return nil, errors.New("no access keys: nobody could sign a request")
	}
	v := &Verifier{
		region: c.Region, services: c.Services, global: c.Global, now: c.Now, environments: c.Environments, keys: make(map[string]*holder, len(c.Keys)),
		buffers: sync.Pool{New: func() any { return new([]byte) }},
	}
	if v.now == nil {
		v.now = time.Now
	}
	var err error
	if v.tokens, err = newAEAD(c.Tokens); err != nil {
		return nil, fmt.Errorf("key for session tokens: %w", err)
	}
	for _, key := range c.Keys {
		if err := key.check(); err != nil {
			return nil, err
		}
		if v.keys[key.ID] != nil {
			return nil, fmt.Errorf("access key %s is there twice", key.ID)
		}
		v.keys[key.ID] = &holder{Key: key, derived: make([]atomic.Pointer[derived], len(c.Services))}
	}
	return v, nil
}

// How long a signature is good for.
const (
	skew        = 5 * time.Minute // of a client's clock
	maxPresign  = 7 * 24 * 60 * 60
	timeFormat  = "20060102T150405Z"
	dayLength   = len("20060102")
	algorithm   = "AWS4-HMAC-SHA256"
	terminator  = "aws4_request"
	unsigned    = "UNSIGNED-PAYLOAD"
	maxHeader   = 8 << 10 // of an Authorization
	maxSigned   = 100     // headers
	hashHeader  = "X-Amz-Content-Sha256"
	tokenHeader = "X-Amz-Security-Token"

	globalRegion = "us-east-1" // that services without a region are signed for
)

// A Check is a request whose signature is still to be compared.
type Check struct {
	verifier  *Verifier
	request   *http.Request
	holder    *holder
	service   int
	signature signature
	payload   string // the hash that is signed: the header's; "" for the body's
	proven    bool   // the signature fits
}

// Proven reports whether the signature fits already: the request says which hash its body
// has, or that none is signed. Of the body is left to check whether it has that hash.
func (c *Check) Proven() bool { return c.proven }

// Begin checks all about a signature for a service that does not need the body: the
// signature too, if the request says which hash its body has. Errors are of type *Error.
func (v *Verifier) Begin(r *http.Request, service string) (*Check, error) {
	if key := insider(r); key != nil {
		return &Check{verifier: v, request: r, holder: &holder{Key: *key}, payload: unsigned, proven: true}, nil
	}
	s, err := parse(r)
	if err != nil {
		return nil, err
	}
	c := &Check{verifier: v, request: r, signature: s, service: slices.Index(v.services, s.service)}
	if s.token != "" {
		if c.holder, err = v.session(r.Context(), s.keyID, s.token); err != nil {
			return nil, err
		}
	} else if c.holder = v.keys[s.keyID]; c.holder == nil {
		return nil, errToken
	}
	switch {
	case s.region != v.region && !(s.region == globalRegion && slices.Contains(v.global, s.service)):
		return nil, invalid("Credential should be scoped to a valid region. ")
	case c.service < 0 || s.service != service:
		return nil, invalid("Credential should be scoped to correct service: '" + service + "'. ")
	case s.day != s.time[:dayLength]:
		return nil, invalid("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '" +
			s.day + "' != '" + s.time[:dayLength] + "', from '" + s.time + "'.")
	}
	if err := v.checkTime(&s); err != nil {
		return nil, err
	}
	if err := checkSigned(r, &s); err != nil {
		return nil, err
	}
	if err := c.readPayloadHash(); err != nil || c.payload == "" {
		return c, err
	}
	c.proven = true
	return c, c.compare(c.payload)
}

func (v *Verifier) checkTime(s *signature) error {
	at, err := time.Parse(timeFormat, s.time)
	if err != nil {
		return incomplete("Date must be in ISO-8601 'basic format'. Got '" + printable(s.time) + "'. See http://en.wikipedia.org/wiki/ISO_8601")
	}
	now := v.now().UTC()
	life, text := skew, "5 min."
	if s.presigned {
		life = time.Duration(s.expires) * time.Second
		text = life.String()
	}
	if oldest := now.Add(-life); at.Before(oldest) {
		return invalid(fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - %s)", s.time, oldest.Format(timeFormat), now.Format(timeFormat), text))
	}
	if newest := now.Add(skew); at.After(newest) {
		return invalid(fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + 5 min.)", s.time, newest.Format(timeFormat), now.Format(timeFormat)))
	}
	return nil
}

// checkSigned refuses requests with something in the header that the signature
// does not cover, though it says what to do.
func checkSigned(r *http.Request, s *signature) error {
	if !slices.Contains(s.headers, "host") {
		return invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for name := range r.Header {
		// CloudFront adds this one on the way.
		if strings.HasPrefix(name, "X-Amz-") && name != "X-Amz-Cf-Id" && !slices.Contains(s.headers, strings.ToLower(name)) {
			return invalid("'" + name + "' must be a 'SignedHeader' in the AWS Authorization.")
		}
	}
	return nil
}

// readPayloadHash takes over the hash that the request says its body has.
func (c *Check) readPayloadHash() error {
	c.payload = c.request.Header.Get(hashHeader)
	if c.payload == "" && c.signature.presigned {
		c.payload = c.signature.payload
	}
	if c.signature.service == S3 {
		if done, err := c.readS3Payload(); done {
			return err
		}
	}
	if c.payload == "" || c.payload == unsigned {
		return nil
	}
	if hash, err := hex.DecodeString(c.payload); err != nil || len(hash) != sha256.Size {
		return invalid("The value of 'x-amz-content-sha256' is neither " + unsigned + " nor a SHA-256 digest in hexadecimal.")
	}
	return nil
}

// Finish checks the body, which is the request's, whole: its hash, or by its hash the
// signature. Errors are of type *Error.
func (c *Check) Finish(body []byte) (*Key, error) {
	if c.payload == unsigned {
		return &c.holder.Key, nil
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	if c.proven {
		if !strings.EqualFold(c.payload, hash) {
			return nil, invalid("The provided 'x-amz-content-sha256' header does not match what was computed.")
		}
		return &c.holder.Key, nil
	}
	if err := c.compare(hash); err != nil {
		return nil, err
	}
	return &c.holder.Key, nil
}

// compare compares the signature with that of a body of a hash.
func (c *Check) compare(payload string) error {
	buffer := c.verifier.buffers.Get().(*[]byte)
	defer c.verifier.buffers.Put(buffer)
	canonical, err := appendCanonical((*buffer)[:0], c.request, &c.signature, payload)
	*buffer = canonical
	if err != nil {
		return err
	}
	length := len(canonical)
	all := c.appendToSign(canonical)
	*buffer = all
	mac := c.signingKey().sum(all[length:])
	if !hmac.Equal(mac[:], c.signature.mac[:]) {
		return mismatch(all[:length], all[length:])
	}
	return nil
}

// appendToSign appends the text that is signed: the canonical request's hash in its scope.
func (c *Check) appendToSign(canonical []byte) []byte {
	s := &c.signature
	hash := sha256.Sum256(canonical)
	b := append(canonical, algorithm+"\n"...)
	b = append(b, s.time...)
	b = append(b, '\n')
	b = append(b, s.day...)
	for _, part := range [...]string{s.region, s.service, terminator} {
		b = append(b, '/')
		b = append(b, part...)
	}
	b = append(b, '\n')
	return hex.AppendEncode(b, hash[:])
}

// signingKey derives the key of the signature's day, region and service.
func (c *Check) signingKey() *derived {
	s := &c.signature
	cached := new(atomic.Pointer[derived])
	if c.holder.derived != nil {
		cached = &c.holder.derived[c.service]
	}
	if d := cached.Load(); d != nil && d.day == s.day && d.region == s.region {
		return d
	}
	key := sum([]byte("AWS4"+c.holder.Secret), []byte(s.day))
	for _, part := range [...]string{s.region, s.service, terminator} {
		key = sum(key[:], []byte(part))
	}
	d := &derived{day: s.day, region: s.region, macs: sync.Pool{New: func() any { return hmac.New(sha256.New, key[:]) }}}
	cached.Store(d)
	return d
}

// sum is the HMAC-SHA256 of data by the derived key.
func (d *derived) sum(data []byte) (mac [sha256.Size]byte) {
	h := d.macs.Get().(hash.Hash)
	h.Reset()
	h.Write(data)
	h.Sum(mac[:0])
	d.macs.Put(h)
	return mac
}

// sum is the HMAC-SHA256 of data.
func sum(key, data []byte) (mac [sha256.Size]byte) {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	h.Sum(mac[:0])
	return mac
}
