package registry

import (
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/state"
)

// Config of a Registry.
type Config struct {
	// Records stores the data of the registry.
	Records state.Records
	// CodePath is the folder of an unpacked code archive. It is only called for
	// what was registered, and must not block.
	CodePath func(Code) string
	// CacheSize is how many functions are kept resolved; default 16384.
	CacheSize int
	// Now is the clock; default time.Now.
	Now func() time.Time
	// Rand draws from [0, 1) for the weights of aliases; default math/rand.
	Rand func() float64
}

// A Registry knows the functions. Its callers share the values that it returns and must
// not change them.
type Registry struct {
	records  state.Records
	codePath func(Code) string
	now      func() time.Time
	rand     func() float64
	views    *views
	fixed    *fixed
	results  *sync.Map // of mappings of the Caddyfile, by UUID
	quota    *codeQuota

	urls      Settings[URLConfig, *URLConfig]
	knownURLs *lru.Cache[string, *knownURL] // by ID

	// Settings by qualifier; see Settings for their rules.
	InvokeConfig Settings[InvokeConfig, *InvokeConfig]
	Provisioned  Settings[Provisioned, *Provisioned]
	Policies     Settings[Policy, *Policy]
	Concurrency  Settings[Concurrency, *Concurrency]
	Tags         Settings[Tags, *Tags]
	Signing      Settings[Signing, *Signing]
	Recursion    Settings[Recursion, *Recursion]
	Management   Settings[Management, *Management]

	stop  context.CancelFunc
	ended chan struct{}
}

// New starts to follow the store's changes, until Close.
func New(c Config) (*Registry, error) {
	if c.CacheSize == 0 {
		c.CacheSize = 16384
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = mathrand.Float64
	}
	views, err := newViews(c.CacheSize)
	if err != nil {
		return nil, err
	}
	knownURLs, err := lru.New[string, *knownURL](c.CacheSize)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	changed, err := c.Records.Watch(ctx, ownerFunction)
	if err != nil {
		stop()
		return nil, fmt.Errorf("following changes of functions: %w", err)
	}
	r := &Registry{
		records: c.Records, codePath: c.CodePath, now: c.Now, rand: c.Rand, views: views, fixed: &fixed{}, results: new(sync.Map), quota: newCodeQuota(),
		knownURLs: knownURLs, stop: stop, ended: make(chan struct{}),
	}
	r.bindSettings()
	go func() {
		defer close(r.ended)
		for owner := range changed {
			views.drop(owner)
		}
		// Without hints nothing cached can be trusted.
		views.drop("")
	}()
	return r, nil
}

// Close stops to follow changes. The store stays open.
func (r *Registry) Close() {
	r.stop()
	<-r.ended
}

// Owners of records, before the name.
const (
	ownerFunction = "function/"
	ownerLayer    = "layer/"
	ownerMapping  = "mapping/"
	ownerURL      = "url/"
)

func checkName(name string) error {
	if !function.ValidName(name) {
		return fmt.Errorf("function name %.80q: 1 to 64 letters, digits, hyphens and underscores are allowed: %w", name, ErrInvalid)
	}
	return nil
}

func checkLimit(limit int) error {
	if limit < 1 {
		return fmt.Errorf("page of %d: 1 or more: %w", limit, ErrInvalid)
	}
	return nil
}

// NewRevisionID is an ID that no revision has.
func NewRevisionID() string { return uuid.NewString() }

func checkRevision(given, have, what string) error {
	if given != "" && given != have {
		return fmt.Errorf("%s: %w", what, ErrPrecondition)
	}
	return nil
}

// timestamp is now, to the millisecond as AWS has it.
func (r *Registry) timestamp() time.Time { return r.now().UTC().Truncate(time.Millisecond) }
