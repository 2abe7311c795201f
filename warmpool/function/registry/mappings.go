package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// A Mapping is an event source mapping as a record: what was asked for and how its
// poller is.
// https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html
type Mapping struct {
	UUID         string
	FunctionName string
	Qualifier    string // function.Latest, a version or an alias
	NamesLatest  bool   `json:",omitempty"` // the request that made it wrote $LATEST, so answers do, too
	LastModified time.Time
	State        string // Creating, Enabling, Enabled, Disabling, Disabled, Updating, Deleting
	StateReason  string `json:",omitempty"`
	LastResult   string `json:",omitempty"`

	EventSourceArn            string            `json:",omitempty"`
	StartingPosition          string            `json:",omitempty"`
	StartingPositionTimestamp *time.Time        `json:",omitempty"`
	Filters                   []string          `json:",omitempty"` // patterns
	OnFailure                 string            `json:",omitempty"` // ARN
	Topics                    []string          `json:",omitempty"`
	Queues                    []string          `json:",omitempty"`
	KMSKeyArn                 string            `json:",omitempty"`
	Tags                      map[string]string `json:",omitempty"`
	MaximumConcurrency        *int              `json:",omitempty"`

	MappingSettings

	// Declared says that the mapping is one of the Caddyfile, and Connection how its
	// source is reached. Neither is kept or shown.
	Declared   bool        `json:"-"`
	Connection *Connection `json:"-"`

	// Source holds, under AWS's names, what belongs to one kind of source alone:
	// SourceAccessConfigurations, SelfManagedEventSource, ProvisionedPollerConfig ...
	Source map[string]json.RawMessage `json:",omitempty"`
}

// MappingSettings are the settings that a record of a mapping and the API's requests and
// answers name alike, and that an update may change; what is nil has its default.
// https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html
type MappingSettings struct {
	BatchSize                      *int     `json:",omitempty"`
	MaximumBatchingWindowInSeconds *int     `json:",omitempty"`
	ParallelizationFactor          *int     `json:",omitempty"`
	MaximumRecordAgeInSeconds      *int     `json:",omitempty"`
	MaximumRetryAttempts           *int     `json:",omitempty"`
	TumblingWindowInSeconds        *int     `json:",omitempty"`
	BisectBatchOnFunctionError     *bool    `json:",omitempty"`
	FunctionResponseTypes          []string `json:",omitzero"` // of queues and streams answers have an empty list
}

// A Connection is how the source of one mapping is reached; what is empty is as for all.
type Connection struct {
	Endpoint, Region, AccessKeyID, SecretAccessKey string // of a service with the API of AWS's

	// SASL is the mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; "": none.
	SASL, Username, Password string

	// TLS, when it is asked for or a file is named: those of the authority, default the
	// system's, and of the client's certificate and key.
	TLS                       bool
	CAFile, CertFile, KeyFile string

	Group string        // the consumer group; "": made of the mapping's UUID
	Every time.Duration // how often it is listed; 0: the default
}

const recordMapping = "mapping"

var uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// CreateMapping keeps a mapping under a new UUID, or the one that it has. Its function must exist.
func (r *Registry) CreateMapping(ctx context.Context, m Mapping) (Mapping, error) {
	if _, err := r.Resolve(ctx, m.FunctionName, m.Qualifier); err != nil {
		return Mapping{}, err
	}
	m.UUID, m.LastModified = cmp.Or(m.UUID, uuid.NewString()), r.timestamp()
	err := r.change(ctx, ownerMapping+m.UUID, func(e *edit) error { return e.put(recordMapping, &m) })
	return m, err
}

// Mapping returns one mapping.
func (r *Registry) Mapping(ctx context.Context, uuid string) (m Mapping, err error) {
	if m, ok := r.fixedMapping(uuid); ok {
		return m, nil
	}
	found := false
	if uuidPattern.MatchString(uuid) {
		found, err = r.read(ctx, ownerMapping+uuid, recordMapping, &m)
	}
	if err == nil && !found {
		err = fmt.Errorf("event source mapping %.80s: %w", uuid, ErrNotFound)
	}
	return m, err
}

// UpdateMapping changes a mapping by change, which may be called several times.
func (r *Registry) UpdateMapping(ctx context.Context, uuid string, change func(*Mapping) error) (m Mapping, err error) {
	if m, err = r.writable(ctx, uuid); err != nil {
		return m, err
	}
	err = r.change(ctx, ownerMapping+uuid, func(e *edit) error {
		if m, err = r.Mapping(ctx, uuid); err != nil {
			return err
		}
		if err := change(&m); err != nil {
			return err
		}
		m.UUID, m.LastModified = uuid, r.timestamp()
		return e.put(recordMapping, &m)
	})
	return m, err
}

// writable is a mapping that is not one of the Caddyfile.
func (r *Registry) writable(ctx context.Context, uuid string) (Mapping, error) {
	m, err := r.Mapping(ctx, uuid)
	if err == nil && m.Declared {
		err = fmt.Errorf("event source mapping %s: %w", uuid, ErrReadOnly)
	}
	return m, err
}

// NoteMapping says what became of a mapping's last batch.
func (r *Registry) NoteMapping(ctx context.Context, uuid, result string) error {
	m, err := r.Mapping(ctx, uuid)
	switch {
	case err != nil || m.LastResult == result:
		return err
	case m.Declared:
		r.results.Store(uuid, result)
		return nil
	}
	_, err = r.UpdateMapping(ctx, uuid, func(m *Mapping) error {
		m.LastResult = result
		return nil
	})
	return err
}

// DeleteMapping removes a mapping and returns it.
func (r *Registry) DeleteMapping(ctx context.Context, uuid string) (m Mapping, err error) {
	if m, err = r.writable(ctx, uuid); err != nil {
		return m, err
	}
	err = r.change(ctx, ownerMapping+uuid, func(e *edit) error {
		if m, err = r.Mapping(ctx, uuid); err != nil {
			return err
		}
		// The UUID is never made again, so nothing has to stay.
		e.delete(recordMapping)
		e.gone = true
		return nil
	})
	return m, err
}

// Mappings returns up to limit mappings in the order of their UUIDs, after the
// UUID after; match, if not nil, says which. next is "" on the last page.
func (r *Registry) Mappings(ctx context.Context, after string, limit int, match func(*Mapping) bool) (page []Mapping, next string, err error) {
	if err := checkLimit(limit); err != nil {
		return nil, "", err
	}
	if page, next, err = r.ownMappings(ctx, after, limit, match); err != nil {
		return nil, "", err
	}
	for _, id := range r.fixed.mappingIDs {
		if m, _ := r.fixedMapping(id); id > after && (next == "" || id < next) && (match == nil || match(&m)) {
			page = append(page, m)
		}
	}
	slices.SortFunc(page, func(a, b Mapping) int { return strings.Compare(a.UUID, b.UUID) })
	if len(page) > limit {
		page, next = page[:limit], page[limit-1].UUID
	}
	return page, next, nil
}

// ownMappings are those that the API made.
func (r *Registry) ownMappings(ctx context.Context, after string, limit int, match func(*Mapping) bool) (page []Mapping, next string, err error) {
	from := ""
	if after != "" {
		from = ownerMapping + after
	}
	for {
		const step = 256
		owners, err := r.records.Owners(ctx, ownerMapping, from, step)
		if err != nil {
			return nil, "", err
		}
		for _, owner := range owners {
			from = owner
			m, err := r.Mapping(ctx, strings.TrimPrefix(owner, ownerMapping))
			switch {
			case isMissing(err) || err == nil && match != nil && !match(&m):
				continue
			case err != nil:
				return nil, "", err
			case len(page) == limit:
				return page, page[limit-1].UUID, nil
			}
			page = append(page, m)
		}
		if len(owners) < step {
			return page, "", nil
		}
	}
}
