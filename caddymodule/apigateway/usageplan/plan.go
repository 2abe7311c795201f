package usageplan

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"math"
	"time"

	"golang.org/x/time/rate"

	"github.com/hearthfn/hearth/warmpool/state"
)

// A Config is a usage plan.
type Config struct {
	// ID names the plan in counters.
	ID string
	// Rate and Burst are the token bucket of each client, in requests per second and requests.
	// Both 0: there is none.
	Rate  float64
	Burst int
	// Routes are the buckets of routes that have their own, by RouteID.
	Routes map[string]Bucket
	// Quota is how many requests a client may make in a period. 0: there is no quota.
	Quota  int64
	Period Period
	// Offset is by how much the quota is less in the period that Begun is in.
	Offset int64
	Begun  time.Time
	Keys   []Key
	// Counters count for the quota, over all nodes.
	Counters state.Counters
	Now      func() time.Time // default time.Now
}

// A Bucket is a token bucket: requests per second, and how many may come at once.
type Bucket struct {
	Rate  float64
	Burst int
}

// RouteID names a route of a stage of an API.
func RouteID(api, stage, route string) string { return api + "/" + stage + "/" + route }

// A Key is an API key.
type Key struct {
	ID    string // names it in events and counters
	Name  string
	Value string // the secret, of MinValue to MaxValue bytes
}

// The sizes of the values of API keys, as on AWS.
const (
	MinValue = 20
	MaxValue = 128
)

// Why a request is refused.
var (
	// ErrThrottled: it is above the client's rate.
	ErrThrottled = errors.New("the request is above the rate of the usage plan")
	// ErrExhausted: the client's quota is used up.
	ErrExhausted = errors.New("the quota of the usage plan is used up")
)

// A Plan knows the clients that have its keys.
type Plan struct {
	config  Config
	secret  [sha256.Size]byte // of the hashes that clients are found by
	clients map[[sha256.Size]byte]*Client
}

// A Client is who has an API key.
type Client struct {
	Key
	bucket *rate.Limiter // nil: there is no rate
	routes map[string]*rate.Limiter
	quota  *meter // nil: there is no quota
}

// Check reports what is wrong. It names keys by their ID, never by their value.
func (c *Config) Check() error {
	switch {
	case c.Rate < 0 || c.Burst < 0 || math.IsNaN(c.Rate) || math.IsInf(c.Rate, 0):
		return fmt.Errorf("rate %g burst %d: neither is less than 0", c.Rate, c.Burst)
	case c.Rate == 0 && c.Burst > 0:
		return errors.New("a burst without a rate")
	case c.Quota < 0 || c.Quota > state.MaxLimit:
		return fmt.Errorf("quota %d: 1 to %d requests are allowed", c.Quota, int64(state.MaxLimit))
	case c.Offset < 0 || c.Offset > c.Quota:
		return fmt.Errorf("offset %d: 0 to %d requests are allowed, the quota", c.Offset, c.Quota)
	}
	for id, of := range c.Routes {
		if of.Rate < 0 || of.Burst < 0 || math.IsNaN(of.Rate) || math.IsInf(of.Rate, 0) {
			return fmt.Errorf("route %s: rate %g burst %d: neither is less than 0", id, of.Rate, of.Burst)
		}
	}
	if c.Quota > 0 {
		if err := c.Period.check(); err != nil {
			return err
		}
	}
	ids, values := make(map[string]bool), make(map[string]string)
	for _, k := range c.Keys {
		other, known := values[k.Value]
		switch {
		case k.ID == "":
			return errors.New("a key without an ID")
		case ids[k.ID]:
			return fmt.Errorf("key %q is there twice", k.ID)
		case len(k.Value) < MinValue || len(k.Value) > MaxValue:
			return fmt.Errorf("key %q: its value has %d bytes, %d to %d are allowed: openssl rand -hex 20 makes one", k.ID, len(k.Value), MinValue, MaxValue)
		case known:
			return fmt.Errorf("keys %q and %q have the same value", other, k.ID)
		}
		ids[k.ID], values[k.Value] = true, k.ID
	}
	return nil
}

// New makes a plan. Close ends it.
func New(c Config) (*Plan, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	p := &Plan{config: c, clients: make(map[[sha256.Size]byte]*Client, len(c.Keys))}
	_, _ = rand.Read(p.secret[:]) // never fails: it ends the program instead
	for _, k := range c.Keys {
		client := &Client{Key: k}
		if c.Rate > 0 {
			burst := c.Burst
			if burst == 0 {
				burst = max(1, int(min(c.Rate, math.MaxInt32)))
			}
			client.bucket = rate.NewLimiter(rate.Limit(c.Rate), burst)
		}
		if len(c.Routes) > 0 {
			client.routes = make(map[string]*rate.Limiter, len(c.Routes))
		}
		for id, of := range c.Routes {
			client.routes[id] = rate.NewLimiter(rate.Limit(of.Rate), of.Burst)
		}
		if c.Quota > 0 {
			client.quota = newMeter(&p.config, k.ID)
		}
		p.clients[p.hash(k.Value)] = client
	}
	return p, nil
}

// hash is what a value of up to MaxValue bytes is found by. The time that a search takes tells
// nothing about values, because nobody outside knows the secret before the value, nor sees the
// hash.
func (p *Plan) hash(value string) [sha256.Size]byte {
	var text [sha256.Size + MaxValue]byte
	n := copy(text[:], p.secret[:])
	n += copy(text[n:], value)
	return sha256.Sum256(text[:n])
}

// Find is the client that has an API key, nil if there is none.
func (p *Plan) Find(value string) *Client {
	if len(value) > MaxValue {
		return nil
	}
	c := p.clients[p.hash(value)]
	if c == nil || subtle.ConstantTimeCompare([]byte(c.Value), []byte(value)) != 1 {
		return nil
	}
	return c
}

// Shares finds a value that a key of the plan and a key of another plan have in common.
func (p *Plan) Shares(other *Plan) (id, otherID string, found bool) {
	for _, k := range p.config.Keys {
		if c := other.Find(k.Value); c != nil {
			return k.ID, c.ID, true
		}
	}
	return "", "", false
}

// Allow counts a request of the client to a route, by its RouteID. The error is ErrThrottled or
// ErrExhausted.
func (c *Client) Allow(route string) error {
	bucket := c.bucket
	if own := c.routes[route]; own != nil {
		bucket = own
	}
	if bucket != nil && !bucket.Allow() {
		return ErrThrottled
	}
	if c.quota != nil && !c.quota.take() {
		return ErrExhausted
	}
	return nil
}

// Close gives units back that were drawn and not used, and waits for what runs. Requests that
// come later are allowed, and not counted.
func (p *Plan) Close() {
	for _, c := range p.clients {
		if c.quota != nil {
			c.quota.stop()
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), drawWithin)
	defer cancel()
	for _, c := range p.clients {
		if c.quota != nil {
			c.quota.giveBack(ctx)
		}
	}
}
