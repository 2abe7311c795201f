package registry

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
)

// A CodeSigning is a code signing configuration: whose signatures functions take, and
// what becomes of code without one.
// https://docs.aws.amazon.com/lambda/latest/api/API_CodeSigningConfig.html
type CodeSigning struct {
	ID           string // csc- and 17 digits and letters
	LastModified time.Time

	Description string            `json:",omitempty"`
	Publishers  []string          // ARNs of versions of signing profiles
	Policy      string            // SigningWarn or SigningEnforce
	Tags        map[string]string `json:",omitempty"`
}

// Values of CodeSigning.Policy.
const (
	SigningWarn    = "Warn"
	SigningEnforce = "Enforce"
)

// Signing is the code signing configuration of a function, by its ID.
type Signing struct {
	ConfigID string
}

func (*Signing) revise(string, time.Time, bool) {}

const (
	ownerSigning  = "signing/"
	recordSigning = "config"
)

var signingPattern = regexp.MustCompile(`^csc-[a-z0-9]{17}$`)

// CreateCodeSigning keeps a code signing configuration under a new ID.
func (r *Registry) CreateCodeSigning(ctx context.Context, c CodeSigning) (CodeSigning, error) {
	c.ID = "csc-" + strings.ReplaceAll(uuid.NewString(), "-", "")[:17]
	c.LastModified = r.timestamp()
	err := r.change(ctx, ownerSigning+c.ID, func(e *edit) error { return e.put(recordSigning, &c) })
	return c, err
}

// CodeSigning returns one code signing configuration.
func (r *Registry) CodeSigning(ctx context.Context, id string) (c CodeSigning, err error) {
	found := false
	if signingPattern.MatchString(id) {
		found, err = r.read(ctx, ownerSigning+id, recordSigning, &c)
	}
	if err == nil && !found {
		err = fmt.Errorf("code signing configuration %.80s: %w", id, ErrNotFound)
	}
	return c, err
}

// UpdateCodeSigning changes a code signing configuration by change, which may be called
// several times.
func (r *Registry) UpdateCodeSigning(ctx context.Context, id string, change func(*CodeSigning) error) (c CodeSigning, err error) {
	if c, err = r.CodeSigning(ctx, id); err != nil {
		return c, err
	}
	err = r.change(ctx, ownerSigning+id, func(e *edit) error {
		if c, err = r.CodeSigning(ctx, id); err != nil {
			return err
		}
		if err := change(&c); err != nil {
			return err
		}
		c.ID, c.LastModified = id, r.timestamp()
		return e.put(recordSigning, &c)
	})
	return c, err
}

// DeleteCodeSigning removes a code signing configuration. While functions have it, that
// is ErrConflict.
func (r *Registry) DeleteCodeSigning(ctx context.Context, id string) error {
	if _, err := r.CodeSigning(ctx, id); err != nil {
		return err
	}
	if names, err := r.Signed(ctx, id); err != nil || len(names) > 0 {
		if err == nil {
			err = fmt.Errorf("the code signing configuration is used by function %s: %w", names[0], ErrConflict)
		}
		return err
	}
	return r.change(ctx, ownerSigning+id, func(e *edit) error {
		e.delete(recordSigning) // the ID is never made again
		e.gone = true
		return nil
	})
}

// Signed are the names of the functions that have a code signing configuration.
func (r *Registry) Signed(ctx context.Context, id string) (names []string, err error) {
	err = r.Signing.Each(ctx, func(name string, q Qualified[Signing]) error {
		if q.Value.ConfigID == id {
			names = append(names, name)
		}
		return nil
	})
	return names, err
}

// CodeSignings are all code signing configurations, in the order of their IDs.
func (r *Registry) CodeSignings(ctx context.Context) (all []CodeSigning, err error) {
	err = r.eachOwner(ctx, ownerSigning, func(owner string) error {
		c, err := r.CodeSigning(ctx, strings.TrimPrefix(owner, ownerSigning))
		if isMissing(err) {
			return nil
		}
		all = append(all, c)
		return err
	})
	return all, err
}
