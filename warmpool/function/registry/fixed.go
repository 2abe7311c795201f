package registry

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hearthfn/hearth/warmpool/function"
)

// fixed are the functions of the Caddyfile. They have $LATEST alone.
type fixed struct {
	functions map[string]*Resolved
	names     []string // sorted
}

// With returns the same registry with functions laid over it that it reads like
// its own and refuses to change (ErrReadOnly). A function of the same name that
// the API made is hidden until the name is free again. The functions are
// normalized and not changed any more.
func (r *Registry) With(functions []*function.Function) *Registry {
	over := *r
	over.fixed = &fixed{functions: make(map[string]*Resolved, len(functions))}
	for _, f := range functions {
		over.fixed.functions[f.Name] = &Resolved{Function: f, Version: &Version{
			FunctionName: f.Name, Version: function.Latest, RevisionID: newID(), LastModified: r.timestamp(),
			Configuration: Configuration{
				Description: f.Description, Runtime: f.Runtime, Handler: f.Handler, PackageType: "Zip",
				MemorySize: f.MemoryMB, Timeout: int(f.Timeout.Seconds()), EphemeralStorage: f.EphemeralStorageMB,
				Environment: f.Environment,
			},
			State: State{State: "Active", UpdateStatus: "Successful"},
		}}
	}
	over.fixed.names = slices.Sorted(maps.Keys(over.fixed.functions))
	over.settle()
	return &over
}

// ReadOnly reports whether a function is one that With laid over.
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
