package registry

import (
	"context"
	"fmt"
	"regexp"

	"github.com/google/uuid"

	"github.com/hearthfn/hearth/warmpool/function"
)

// An Alias points to a version, and with a weight to a second one.
// https://docs.aws.amazon.com/lambda/latest/api/API_AliasConfiguration.html
type Alias struct {
	Name            string
	FunctionVersion string
	Description     string             `json:",omitempty"`
	RevisionID      string             // a UUID, another one after each change
	Weights         map[string]float64 `json:",omitempty"` // AdditionalVersionWeights: one version at most, 0..1
}

var (
	aliasPattern  = regexp.MustCompile(`^[a-zA-Z0-9-_]{1,128}$`)
	digitsPattern = regexp.MustCompile(`^[0-9]+$`)
)

func checkAliasName(alias string) error {
	if !aliasPattern.MatchString(alias) || digitsPattern.MatchString(alias) {
		return fmt.Errorf("alias %.80q: 1 to 128 letters, digits, hyphens and underscores, not digits alone: %w", alias, ErrInvalid)
	}
	return nil
}

// check says whether the alias may point where it points; the versions must
// exist.
func (a *Alias) check(e *edit, name string) error {
	if err := e.checkTarget(name, a.FunctionVersion); err != nil {
		return err
	}
	if len(a.Weights) > 1 {
		return fmt.Errorf("alias %s: %d additional versions, one is allowed: %w", a.Name, len(a.Weights), ErrInvalid)
	}
	for version, weight := range a.Weights {
		switch {
		case !(weight >= 0 && weight <= 1): // NaN too
			return fmt.Errorf("alias %s: weight %v of version %s: 0 to 1 are allowed: %w", a.Name, weight, version, ErrInvalid)
		case version == function.Latest || a.FunctionVersion == function.Latest:
			return fmt.Errorf("alias %s: $LATEST is not supported for an alias pointing to more than 1 version: %w", a.Name, ErrInvalid)
		case version == a.FunctionVersion:
			return fmt.Errorf("alias %s: version %s is the alias's own, weight another one: %w", a.Name, version, ErrInvalid)
		}
		if err := e.checkTarget(name, version); err != nil {
			return err
		}
	}
	return nil
}

func (e *edit) checkTarget(name, version string) error {
	record, ok := recordOf(version)
	if !ok {
		return fmt.Errorf("function %s: an alias points to $LATEST or a version number, not to %.80q: %w", name, version, ErrInvalid)
	}
	found, err := e.read(record, new(Version))
	if err == nil && !found {
		err = fmt.Errorf("function %s: version %s: %w", name, version, ErrNotFound)
	}
	return err
}

// CreateAlias makes an alias; one of that name is ErrConflict.
func (r *Registry) CreateAlias(ctx context.Context, name string, a Alias) (Alias, error) {
	if err := r.checkWritable(name); err != nil {
		return Alias{}, err
	}
	if err := checkAliasName(a.Name); err != nil {
		return Alias{}, err
	}
	err := r.change(ctx, ownerFunction+name, func(e *edit) error {
		if _, err := e.latest(name); err != nil {
			return err
		}
		if found, err := e.read(prefixAlias+a.Name, new(Alias)); err != nil || found {
			if err == nil {
				err = fmt.Errorf("function %s: alias %s already exists: %w", name, a.Name, ErrConflict)
			}
			return err
		}
		if err := a.check(e, name); err != nil {
			return err
		}
		a.RevisionID = uuid.NewString()
		return e.put(prefixAlias+a.Name, &a)
	})
	return a, err
}

// UpdateAlias changes an alias by change, which may be called several times. A
// revisionID that is not "" must be the latest one.
func (r *Registry) UpdateAlias(ctx context.Context, name, alias, revisionID string, change func(*Alias) error) (Alias, error) {
	if err := r.checkWritable(name); err != nil {
		return Alias{}, err
	}
	var a Alias
	err := r.change(ctx, ownerFunction+name, func(e *edit) error {
		a = Alias{}
		found, err := e.read(prefixAlias+alias, &a)
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("function %s: alias %.128s: %w", name, alias, ErrNotFound)
		}
		if err := checkRevision(revisionID, a.RevisionID, "alias "+alias); err != nil {
			return err
		}
		if err := change(&a); err != nil {
			return err
		}
		if err := a.check(e, name); err != nil {
			return err
		}
		a.Name, a.RevisionID = alias, uuid.NewString()
		return e.put(prefixAlias+alias, &a)
	})
	return a, err
}

// DeleteAlias removes an alias and its settings. AWS does not mind if there is
// none, as long as there is the function.
func (r *Registry) DeleteAlias(ctx context.Context, name, alias string) error {
	if err := r.checkWritable(name); err != nil {
		return err
	}
	if err := checkAliasName(alias); err != nil {
		return err
	}
	return r.change(ctx, ownerFunction+name, func(e *edit) error {
		if _, err := e.latest(name); err != nil {
			return err
		}
		e.delete(prefixAlias + alias)
		e.deleteSettings(alias)
		return nil
	})
}

// Alias returns one alias.
func (r *Registry) Alias(ctx context.Context, name, alias string) (Alias, error) {
	var a Alias
	if err := checkName(name); err != nil {
		return a, err
	}
	if err := checkAliasName(alias); err != nil {
		return a, err
	}
	found := false
	var err error
	if !r.ReadOnly(name) {
		found, err = r.read(ctx, ownerFunction+name, prefixAlias+alias, &a)
	}
	if err == nil && !found {
		err = fmt.Errorf("function %s: alias %s: %w", name, alias, ErrNotFound)
	}
	return a, err
}

// Aliases returns up to limit aliases in the order of their names, after the name after. With
// a version, it returns only the aliases that point to it. next is "" on the last page.
func (r *Registry) Aliases(ctx context.Context, name, version, after string, limit int) (page []Alias, next string, err error) {
	if err := checkLimit(limit); err != nil {
		return nil, "", err
	}
	if _, err := r.Version(ctx, name, function.Latest); err != nil {
		return nil, "", err
	}
	if r.ReadOnly(name) {
		return nil, "", nil
	}
	from := ""
	if after != "" {
		from = prefixAlias + after
	}
	for {
		const step = 256
		records, err := r.records.List(ctx, ownerFunction+name, prefixAlias, from, step)
		if err != nil {
			return nil, "", err
		}
		for _, record := range records {
			from = record.Name
			var a Alias
			if err := decode(record, &a); err != nil {
				return nil, "", err
			}
			if _, weighted := a.Weights[version]; version != "" && a.FunctionVersion != version && !weighted {
				continue
			}
			if len(page) == limit {
				return page, page[limit-1].Name, nil
			}
			page = append(page, a)
		}
		if len(records) < step {
			return page, "", nil
		}
	}
}
