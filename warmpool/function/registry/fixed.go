package registry

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/hearthfn/hearth/warmpool/function"
)

// fixed are the functions and event source mappings of the Caddyfile. The functions have
// $LATEST alone.
type fixed struct {
	functions map[string]*Resolved
	names     []string // sorted

	mappings   map[string]Mapping
	mappingIDs []string // sorted
}

// With returns the same registry with more functions and mappings. The registry reads them like
// its own, and refuses to change them (ErrReadOnly). They hide a function of the same name that
// the API made. The functions must be normalized, and nobody changes them later. The UUID of a
// mapping is made of its source and its function.
func (r *Registry) With(functions []*function.Function, mappings ...Mapping) *Registry {
	over := *r
	over.fixed = &fixed{functions: make(map[string]*Resolved, len(functions)), mappings: make(map[string]Mapping, len(mappings))}
	for _, m := range mappings {
		m.UUID, m.LastModified, m.Declared = declaredID(&m), r.timestamp(), true
		over.fixed.mappings[m.UUID] = m
	}
	over.fixed.mappingIDs = slices.Sorted(maps.Keys(over.fixed.mappings))
	for _, f := range functions {
		over.fixed.functions[f.Name] = &Resolved{Function: f, Declared: true, Version: &Version{
			FunctionName: f.Name, Version: function.Latest, RevisionID: uuid.NewString(), LastModified: r.timestamp(),
			Configuration: Configuration{
				Description: f.Description, Runtime: f.Runtime, Handler: f.Handler, PackageType: "Zip",
				Role: f.Role, MemorySize: f.MemoryMB, Timeout: int(f.Timeout.Seconds()), EphemeralStorage: f.EphemeralStorageMB,
				Environment: f.Environment, LoggingConfig: &LoggingConfig{f.Logging.Format, f.Logging.ApplicationLevel, f.Logging.SystemLevel, f.Logging.Group},
			},
			State: State{State: "Active", UpdateStatus: "Successful"},
		}}
	}
	over.fixed.names = slices.Sorted(maps.Keys(over.fixed.functions))
	over.bindSettings()
	return &over
}

// ReadOnly reports whether With added a function.
func (r *Registry) ReadOnly(name string) bool { return r.fixed.functions[name] != nil }

func (r *Registry) checkWritable(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if r.ReadOnly(name) {
		return fmt.Errorf("function %s: %w", name, ErrReadOnly)
	}
	return nil
}

// declaredID is the UUID of a mapping of the Caddyfile: the same after each start, and on
// all nodes, so that its checkpoints are found.
func declaredID(m *Mapping) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{"event_source", m.EventSourceArn, strings.Join(m.Topics, ","), m.FunctionName, m.Qualifier}, "\x00")))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // version 8: made in a way of one's own
	return uuid.UUID(sum[:16]).String()
}

func (r *Registry) fixedMapping(uuid string) (Mapping, bool) {
	m, ok := r.fixed.mappings[uuid]
	if result, noted := r.results.Load(uuid); ok && noted {
		m.LastResult = result.(string)
	}
	return m, ok
}
