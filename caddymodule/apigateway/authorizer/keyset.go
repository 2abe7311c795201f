package authorizer

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// How a KeySet fetches. A caller can make it fetch by a token with a new key ID, so the time
// between two fetches has a bound.
const (
	keysLife     = 2 * time.Hour    // as on AWS; older keys are used while new ones are fetched
	fetchTimeout = 10 * time.Second // of discovery and keys together
	fetchPause   = 10 * time.Second // between two fetches
	maxDocument  = 1 << 20          // bytes of a document of the issuer
	maxKeys      = 1000             // of an issuer
	maxSameID    = 4                // keys with one ID, each of which a token is checked by
	maxModulus   = 8192             // bits of an RSA key
)

// A KeySet has the public keys of one issuer. They are fetched when a token needs them for
// the first time, has an unknown key ID, or finds them older than two hours. While the issuer
// does not answer, the last keys go on.
type KeySet struct {
	source KeySource
	client *http.Client
	now    func() time.Time
	most   time.Duration   // of a fetch
	ctx    context.Context // of the fetches; Close ends it
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu       sync.Mutex // guards what follows
	keys     map[string][]jose.JSONWebKey
	age      time.Time     // when keys were fetched; zero: never
	tried    time.Time     // when the last fetch began
	fetching chan struct{} // closed when the fetch that runs has ended; nil: none runs
	err      error         // of the last fetch
	// generation counts the sets of keys, so that what was verified by older ones is known.
	generation uint64
}

// A KeySource says where keys are.
type KeySource struct {
	// Issuer is the address of the issuer, as tokens name it. Its document
	// /.well-known/openid-configuration names the keys.
	Issuer string
	// JWKS is the address of the keys. "": the issuer's document has it.
	JWKS string
	// Insecure allows http addresses beyond this machine.
	Insecure bool
}

// Check reports what is wrong with the addresses.
func (s *KeySource) Check() error {
	if s.Issuer == "" {
		return errors.New("issuer is missing: write the address of the OpenID Connect issuer, as its tokens have it in iss")
	}
	for name, address := range map[string]string{"issuer": s.Issuer, "jwks": s.JWKS} {
		if address == "" {
			continue
		}
		if err := s.checkAddress(address); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (s *KeySource) checkAddress(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return fmt.Errorf("%q is not an address such as https://id.example.com", address)
	case u.Scheme == "http" && !s.Insecure && !isLoopback(u.Hostname()):
		return fmt.Errorf("%q: keys that come by http may be anybody's: use https, or the option insecure", address)
	}
	return nil
}

func isLoopback(host string) bool {
	return host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.")
}

// NewKeySet makes the key set of a source. It fetches nothing yet. Close ends it.
func NewKeySet(source KeySource) *KeySet {
	k := &KeySet{source: source, now: time.Now, most: fetchTimeout}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: fetchTimeout, Control: forbid}).DialContext
	k.client = &http.Client{Transport: transport, CheckRedirect: k.redirect}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	return k
}

// maxRedirects bounds where an issuer sends a fetch on to.
const maxRedirects = 3

// redirect checks where an issuer sends a fetch on to.
func (k *KeySet) redirect(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	if isLoopback(r.URL.Hostname()) && !isLoopback(via[0].URL.Hostname()) {
		return fmt.Errorf("%q: an issuer elsewhere sends on to this machine", r.URL.Redacted())
	}
	return k.source.checkAddress(r.URL.String())
}

// forbid refuses a connection to where clouds tell their machines secrets, whatever name leads
// there.
func forbid(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := to.Addr().Unmap()
	if ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || metadata.Contains(ip) {
		return fmt.Errorf("%s is no address of an issuer", ip)
	}
	return nil
}

// metadata are the addresses of the metadata service of AWS in IPv6.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
var metadata = netip.MustParsePrefix("fd00:ec2::/32")

// Close ends a fetch that runs, and waits for it.
func (k *KeySet) Close() {
	k.cancel()
	k.wg.Wait()
	k.client.CloseIdleConnections()
}

// errUnknownKey says that the issuer has no key of that ID.
var errUnknownKey = errors.New("the issuer has no such key")

// An ErrNoKeys says that no key was ever fetched.
type ErrNoKeys struct{ Err error }

func (e *ErrNoKeys) Error() string { return "no keys of the issuer: " + e.Err.Error() }
func (e *ErrNoKeys) Unwrap() error { return e.Err }

// find returns the keys with an ID, and the generation they are of. It waits for a fetch only
// if there are none.
func (k *KeySet) find(ctx context.Context, id string) ([]jose.JSONWebKey, uint64, error) {
	for fetched := false; ; fetched = true {
		k.mu.Lock()
		found, generation := k.keys[id], k.generation
		now := k.now()
		if len(found) > 0 {
			if now.Sub(k.age) > keysLife {
				k.fetch(now)
			}
			k.mu.Unlock()
			return found, generation, nil
		}
		var wait chan struct{}
		if !fetched {
			wait = k.fetch(now)
		}
		never, err := k.age.IsZero(), k.err
		k.mu.Unlock()
		switch {
		case wait != nil:
			select {
			case <-wait:
			case <-ctx.Done():
				return nil, 0, ctx.Err()
			}
		case never:
			return nil, 0, &ErrNoKeys{err}
		default:
			return nil, 0, errUnknownKey
		}
	}
}

// current is the generation of the keys. k.mu is not held.
func (k *KeySet) current() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := k.now(); !k.age.IsZero() && now.Sub(k.age) > keysLife {
		k.fetch(now)
	}
	return k.generation
}

// fetch begins a fetch unless the last was a moment ago. It returns what is closed at the end
// of the one that runs, nil if none does. k.mu is held.
func (k *KeySet) fetch(now time.Time) chan struct{} {
	if k.fetching != nil {
		return k.fetching
	}
	if !k.tried.IsZero() && now.Sub(k.tried) < fetchPause || k.ctx.Err() != nil {
		return nil
	}
	k.tried = now
	done := make(chan struct{})
	k.fetching = done
	k.wg.Go(func() {
		ctx, cancel := context.WithTimeout(k.ctx, k.most)
		defer cancel()
		keys, err := k.load(ctx)
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.err = err; err == nil {
			k.keys, k.age = keys, k.now()
			k.generation++
		} else {
			k.tried = k.now() // one that was slow is not asked again at once
		}
		k.fetching = nil
		close(done)
	})
	return done
}

// load fetches the keys.
func (k *KeySet) load(ctx context.Context) (map[string][]jose.JSONWebKey, error) {
	address := k.source.JWKS
	if address == "" {
		var err error
		if address, err = k.discover(ctx); err != nil {
			return nil, err
		}
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := k.document(ctx, address, &set); err != nil {
		return nil, err
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("%s has %d keys, %d at most", address, len(set.Keys), maxKeys)
	}
	keys := make(map[string][]jose.JSONWebKey)
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		// Keys of other kinds, and those for encryption, are no use here.
		if key.UnmarshalJSON(raw) != nil || !key.Valid() || !key.IsPublic() || key.Use != "" && key.Use != "sig" {
			continue
		}
		if of, ok := key.Key.(*rsa.PublicKey); ok && of.N.BitLen() > maxModulus || len(keys[key.KeyID]) == maxSameID {
			continue // the check of a token would take too long
		}
		keys[key.KeyID] = append(keys[key.KeyID], key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s has no public key for signatures", address)
	}
	return keys, nil
}

// discover reads the address of the keys in the issuer's document.
// https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig
func (k *KeySet) discover(ctx context.Context) (string, error) {
	at := strings.TrimSuffix(k.source.Issuer, "/") + "/.well-known/openid-configuration"
	var document struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	if err := k.document(ctx, at, &document); err != nil {
		return "", err
	}
	if document.Issuer != k.source.Issuer {
		return "", fmt.Errorf("%s: the issuer there is %q, not %q: configure it as it is there", at, document.Issuer, k.source.Issuer)
	}
	if err := k.source.checkAddress(document.JWKS); err != nil {
		return "", fmt.Errorf("%s: jwks_uri: %w", at, err)
	}
	return document.JWKS, nil
}

// document fetches JSON.
func (k *KeySet) document(ctx context.Context, address string, to any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "application/json")
	res, err := k.client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", address, res.Status)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
	if err != nil {
		return fmt.Errorf("read %s: %w", address, err)
	}
	if len(body) > maxDocument {
		return fmt.Errorf("%s has more than %d bytes", address, maxDocument)
	}
	if err := json.Unmarshal(body, to); err != nil {
		return fmt.Errorf("read %s: %w", address, err)
	}
	return nil
}
