package usage

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hearthfn/hearth/caddymodule/apigateway/usageplan"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
	"github.com/hearthfn/hearth/warmpool/state"
)

// Bounds of what is kept. AWS's quotas are 10,000 and 300.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
const (
	MaxKeys  = 2000
	MaxPlans = 300
)

const (
	owner = "usage"
	// DocKey and DocPlan begin the names of documents.
	DocKey  = "key/"
	DocPlan = "plan/"
)

// A Key is an API key.
// https://docs.aws.amazon.com/apigateway/latest/api/API_ApiKey.html
type Key struct {
	CreatedDate     int64             `json:"createdDate"`
	CustomerId      string            `json:"customerId,omitempty"`
	Description     string            `json:"description,omitempty"`
	Enabled         bool              `json:"enabled"`
	Id              string            `json:"id"`
	LastUpdatedDate int64             `json:"lastUpdatedDate"`
	Name            string            `json:"name,omitempty"`
	StageKeys       []string          `json:"stageKeys"`
	Tags            map[string]string `json:"tags,omitempty"`
	Value           string            `json:"value,omitempty"`
}

// A Plan is a usage plan.
// https://docs.aws.amazon.com/apigateway/latest/api/API_UsagePlan.html
type Plan struct {
	ApiStages   []APIStage        `json:"apiStages"`
	Description string            `json:"description,omitempty"`
	Id          string            `json:"id"`
	Keys        []string          `json:"keys,omitempty"` // not in answers
	Name        string            `json:"name"`
	Quota       *Quota            `json:"quota,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	Throttle    *Throttle         `json:"throttle,omitempty"`
	// Begun is when the plan got its quota, in seconds since 1970: the offset of the quota is of
	// that period. It is not in answers.
	Begun int64 `json:"begun,omitempty"`
}

// An APIStage is a stage that a plan opens.
type APIStage struct {
	ApiId string `json:"apiId"`
	Stage string `json:"stage"`
	// Throttle has the throttles of methods, in place of the plan's: /pets/GET.
	Throttle map[string]Throttle `json:"throttle,omitempty"`
}

// Is says whether both are the same stage.
func (at *APIStage) Is(other APIStage) bool {
	return at.ApiId == other.ApiId && at.Stage == other.Stage
}

// stageKey names a stage of an API. Neither name has a colon.
func stageKey(api, stage string) string { return api + ":" + stage }

// RouteOf is the route of a method that a throttle names, as routes are written: GET /pets.
func RouteOf(method string) string {
	path, name := method[:max(strings.LastIndexByte(method, '/'), 0)], method[strings.LastIndexByte(method, '/')+1:]
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return name + " " + path
}

// A Quota is how many requests a key may make in a period: DAY, WEEK or MONTH.
type Quota struct {
	Limit  int64  `json:"limit"`
	Offset int    `json:"offset"`
	Period string `json:"period"`
}

// A Throttle is the token bucket of each key.
type Throttle struct {
	BurstLimit int     `json:"burstLimit"`
	RateLimit  float64 `json:"rateLimit"`
}

var periods = map[string]usageplan.Period{"DAY": usageplan.Day, "WEEK": usageplan.Week, "MONTH": usageplan.Month}

// Config is the plan as requests are counted by it. Keys that are not enabled are left out.
func (p *Plan) Config(keys map[string]*Key) usageplan.Config {
	// Plans of the configuration have no dot in their names.
	c := usageplan.Config{ID: "aws." + p.Id}
	if p.Throttle != nil {
		c.Rate, c.Burst = p.Throttle.RateLimit, p.Throttle.BurstLimit
	}
	for _, at := range p.ApiStages {
		for method, of := range at.Throttle {
			if c.Routes == nil {
				c.Routes = make(map[string]usageplan.Bucket)
			}
			c.Routes[usageplan.RouteID(at.ApiId, at.Stage, RouteOf(method))] = usageplan.Bucket{Rate: of.RateLimit, Burst: of.BurstLimit}
		}
	}
	if p.Quota != nil {
		c.Quota, c.Period = p.Quota.Limit, periods[p.Quota.Period]
		c.Offset, c.Begun = int64(p.Quota.Offset), time.Unix(p.Begun, 0)
	}
	for _, id := range p.Keys {
		if k := keys[id]; k != nil && k.Enabled {
			c.Keys = append(c.Keys, usageplan.Key{ID: k.Id, Name: k.Name, Value: k.Value})
		}
	}
	return c
}

// Plans are the usage plans.
type Plans struct {
	store    *document.Store
	counters state.Counters
	dirty    atomic.Bool
	known    atomic.Pointer[table]

	reading sync.Mutex // held by the one that makes a table
	retry   time.Time  // guarded by reading: no reading before, after a failure

	stop  context.CancelFunc
	ended chan struct{}
}

// A table is all plans at a time.
type table struct {
	plans map[string]*served // by ID
	of    map[string][]*usageplan.Plan
}

type served struct {
	*usageplan.Plan
	config string // what it was made of
}

// New starts to follow changes, until Close.
func New(store *document.Store, counters state.Counters) (*Plans, error) {
	ctx, stop := context.WithCancel(context.Background())
	changed, err := store.Watch(ctx, owner)
	if err != nil {
		stop()
		return nil, fmt.Errorf("following changes of usage plans: %w", err)
	}
	p := &Plans{store: store, counters: counters, stop: stop, ended: make(chan struct{})}
	p.dirty.Store(true)
	go func() {
		defer close(p.ended)
		for range changed {
			p.dirty.Store(true)
		}
	}()
	return p, nil
}

// Close ends the plans, which give back what they have drawn.
func (p *Plans) Close() {
	p.stop()
	<-p.ended
	p.reading.Lock()
	defer p.reading.Unlock()
	if now := p.known.Load(); now != nil {
		for _, s := range now.plans {
			s.Close()
		}
	}
}

// Read reads the documents.
func (p *Plans) Read(ctx context.Context) (*document.Set, error) { return p.store.Read(ctx, owner) }

// Change lets decide change the documents.
func (p *Plans) Change(ctx context.Context, decide func(e *document.Edit) error) error {
	defer p.dirty.Store(true) // even a change that failed may have been kept
	return p.store.Change(ctx, owner, decide)
}

// Of are the plans that open a stage of an API.
func (p *Plans) Of(ctx context.Context, api, stage string) ([]*usageplan.Plan, error) {
	now, err := p.table(ctx)
	if err != nil {
		return nil, err
	}
	return now.of[stageKey(api, stage)], nil
}

// retryAfter is how long nothing is read after a failure.
const retryAfter = time.Second

func (p *Plans) table(ctx context.Context) (*table, error) {
	if now := p.known.Load(); now != nil && !p.dirty.Load() {
		return now, nil
	}
	p.reading.Lock()
	defer p.reading.Unlock()
	before := p.known.Load()
	if before != nil && (!p.dirty.Load() || time.Now().Before(p.retry)) {
		return before, nil
	}
	p.dirty.Store(false)
	now, err := p.read(ctx, before)
	if err != nil {
		p.dirty.Store(true)
		if ctx.Err() == nil {
			p.retry = time.Now().Add(retryAfter)
		}
		if before != nil {
			return before, nil
		}
		return nil, err
	}
	p.known.Store(now)
	if before != nil {
		for id, s := range before.plans {
			if now.plans[id] != s {
				s.Close() // gives back what it has drawn, so that this request finds it
			}
		}
	}
	return now, nil
}

// read makes the table. A plan that is as before stays the same.
func (p *Plans) read(ctx context.Context, before *table) (now *table, err error) {
	set, err := p.Read(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := Keys(set)
	if err != nil {
		return nil, err
	}
	plans, err := document.All[Plan](set, DocPlan)
	if err != nil {
		return nil, err
	}
	now = &table{plans: make(map[string]*served, len(plans)), of: make(map[string][]*usageplan.Plan)}
	var fresh []*served
	defer func() {
		if err != nil {
			for _, s := range fresh {
				s.Close()
			}
		}
	}()
	for _, plan := range plans {
		c := plan.Config(keys)
		text, err := json.Marshal([]any{c.Rate, c.Burst, c.Quota, c.Period, c.Keys})
		if err != nil {
			return nil, err
		}
		var s *served
		if before != nil {
			s = before.plans[plan.Id]
		}
		if s == nil || s.config != string(text) {
			c.Counters = p.counters
			made, err := usageplan.New(c)
			if err != nil {
				return nil, fmt.Errorf("usage plan %s: %w", plan.Id, err)
			}
			s = &served{made, string(text)}
			fresh = append(fresh, s)
		}
		now.plans[plan.Id] = s
		for _, at := range plan.ApiStages {
			if of := now.of[stageKey(at.ApiId, at.Stage)]; !slices.Contains(of, s.Plan) {
				now.of[stageKey(at.ApiId, at.Stage)] = append(of, s.Plan)
			}
		}
	}
	return now, nil
}

// Keys are all keys by their IDs.
func Keys(set *document.Set) (map[string]*Key, error) {
	all, err := document.All[Key](set, DocKey)
	if err != nil {
		return nil, err
	}
	keys := make(map[string]*Key, len(all))
	for _, k := range all {
		keys[k.Id] = k
	}
	return keys, nil
}
