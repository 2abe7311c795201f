package scaling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/state"
)

// Bounds of a target, those of AWS.
// https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-quotas.html
const (
	MaxActions  = 200
	MaxPolicies = 50
	// MaxTargets is how many targets there may be.
	MaxTargets = 500

	keptActivities = 20
)

// A Resource is what scales: a version or an alias of a function.
type Resource struct{ Function, Qualifier string }

// String is the resource as AWS names it.
func (r Resource) String() string { return resourceType + r.Function + ":" + r.Qualifier }

const resourceType = "function:"

// ParseResource reads a resource as AWS names it: function:NAME:QUALIFIER. ok is false if it
// is none, or $LATEST.
func ParseResource(id string) (r Resource, ok bool) {
	rest, ok := strings.CutPrefix(id, resourceType)
	if !ok {
		return Resource{}, false
	}
	r.Function, r.Qualifier, ok = strings.Cut(rest, ":")
	return r, ok && function.ValidName(r.Function) && function.ValidQualifier(r.Qualifier) && r.Qualifier != function.Latest
}

// A Document is a target with all that hangs on it.
type Document struct {
	ID       string // of the target's ARN
	Created  time.Time
	Min, Max int
	RoleARN  string            `json:",omitempty"`
	Tags     map[string]string `json:",omitempty"`

	InSuspended, OutSuspended, ScheduledSuspended bool `json:",omitempty"`

	Actions    []Action   `json:",omitempty"` // by name
	Policies   []Policy   `json:",omitempty"` // by name
	Activities []Activity `json:",omitempty"` // the newest first

	// Usage is what each node said last of the calls that it had at once. Minute is the last
	// minute, counted from 1970, that was judged.
	Usage  map[string]Usage `json:",omitempty"`
	Minute int64            `json:",omitempty"`
	// Used are the parts of the provisioned concurrency that were in use in the last minutes,
	// 0 to 1, the newest last.
	Used []float64 `json:",omitempty"`
}

// An Action changes the bounds of its target at times.
type Action struct {
	Name, ID, Schedule string
	Timezone           string     `json:",omitempty"` // of the IANA database; "": UTC
	Start, End         *time.Time `json:",omitempty"`
	Min, Max           *int       `json:",omitempty"`
	Created            time.Time
	Covered            time.Time // ticks up to this time have been carried out
}

// A Policy keeps the use of the provisioned concurrency near a value.
type Policy struct {
	Name, ID       string
	Created        time.Time
	Value          float64 // the part that is to be in use: above 0, up to 1
	OutCooldown    int     // seconds
	InCooldown     int     // seconds
	DisableScaleIn bool    `json:",omitempty"`
	// As it was given, to be given back.
	GivenOut, GivenIn, GivenDisable bool `json:",omitempty"`

	LastOut, LastIn time.Time
}

// A Usage is how many calls a node had at once, on average over a minute.
type Usage struct {
	Minute int64 // since 1970
	Calls  float64
}

// An Activity is something that was done to a target.
type Activity struct {
	ID, Description, Cause string
	Start, End             time.Time
	Status                 string // Successful or Failed
	StatusMessage          string
}

// A Store keeps the documents.
type Store struct{ Records state.Records }

const (
	ownerPrefix    = "scaling/"
	documentRecord = "document"
)

// ErrNotFound says that there is no such target.
var ErrNotFound = errors.New("there is no such scalable target")

func (r Resource) owner() string { return ownerPrefix + r.Function + ":" + r.Qualifier }

// Read returns the document of a resource, or ErrNotFound.
func (s Store) Read(ctx context.Context, r Resource) (*Document, error) {
	d, _, err := s.read(ctx, r)
	return d, err
}

func (s Store) read(ctx context.Context, r Resource) (*Document, state.Revision, error) {
	record, err := s.Records.Read(ctx, state.Key{Owner: r.owner(), Name: documentRecord})
	if errors.Is(err, state.ErrNotFound) {
		return nil, state.Absent, ErrNotFound
	}
	if err != nil {
		return nil, state.Absent, err
	}
	d := new(Document)
	if err := json.Unmarshal(record.Value, d); err != nil {
		return nil, state.Absent, fmt.Errorf("the scalable target of %s: %w", r, err)
	}
	return d, record.Revision, nil
}

// ErrNothing is what change returns if nothing is to be written; Change passes it on.
var ErrNothing = errors.New("nothing to change")

// Change changes the document of a resource. change gets the present one, nil if there is
// none, and returns the new one, nil to remove it. It may be called several times.
func (s Store) Change(ctx context.Context, r Resource, change func(*Document) (*Document, error)) error {
	for {
		d, revision, err := s.read(ctx, r)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if d, err = change(d); err != nil {
			return err
		}
		step := state.Delete(documentRecord, revision)
		if d != nil {
			d.Activities = d.Activities[:min(len(d.Activities), keptActivities)]
			value, err := json.Marshal(d)
			if err != nil {
				return err
			}
			step = state.Put(documentRecord, revision, value)
		}
		_, err = s.Records.Change(ctx, r.owner(), step)
		if !errors.Is(err, state.ErrConflict) {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// All are the resources that have a target, in order.
func (s Store) All(ctx context.Context) ([]Resource, error) {
	var all []Resource
	for after := ""; ; {
		owners, err := s.Records.Owners(ctx, ownerPrefix, after, 100)
		if err != nil || len(owners) == 0 {
			return all, err
		}
		for _, owner := range owners {
			name, qualifier, _ := strings.Cut(strings.TrimPrefix(owner, ownerPrefix), ":")
			all = append(all, Resource{name, qualifier})
		}
		after = owners[len(owners)-1]
	}
}

// Action returns the action of that name, nil if there is none.
func (d *Document) Action(name string) *Action {
	if i := slices.IndexFunc(d.Actions, func(a Action) bool { return a.Name == name }); i >= 0 {
		return &d.Actions[i]
	}
	return nil
}

// Policy returns the policy of that name, nil if there is none.
func (d *Document) Policy(name string) *Policy {
	if i := slices.IndexFunc(d.Policies, func(p Policy) bool { return p.Name == name }); i >= 0 {
		return &d.Policies[i]
	}
	return nil
}
