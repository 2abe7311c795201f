package registry

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// A LayerVersion is code that functions find in /opt. It never changes.
// https://docs.aws.amazon.com/lambda/latest/api/API_PublishLayerVersion.html
type LayerVersion struct {
	Name        string
	Version     uint64 // from 1, never reused
	CreatedDate time.Time
	Code        Code

	Description             string   `json:",omitempty"`
	LicenseInfo             string   `json:",omitempty"`
	CompatibleRuntimes      []string `json:",omitzero"`
	CompatibleArchitectures []string `json:",omitzero"`
	Policy                  *Policy  `json:",omitempty"`
}

func checkLayerName(name string) error {
	if !aliasPattern.MatchString(name) || len(name) > 140 {
		return fmt.Errorf("layer name %.80q: letters, digits, hyphens and underscores are allowed: %w", name, ErrInvalid)
	}
	return nil
}

// PublishLayer makes the next version of a layer; Name and Code have to be set.
func (r *Registry) PublishLayer(ctx context.Context, l LayerVersion) (LayerVersion, error) {
	if err := checkLayerName(l.Name); err != nil {
		return LayerVersion{}, err
	}
	err := r.change(ctx, ownerLayer+l.Name, func(e *edit) error {
		e.head.Last++
		l.Version, l.CreatedDate = e.head.Last, r.timestamp()
		e.moreCode = l.Code.Size
		return e.put(versionRecord(l.Version), &l)
	})
	return l, err
}

// LayerVersion returns one version of a layer.
func (r *Registry) LayerVersion(ctx context.Context, name string, version uint64) (l LayerVersion, err error) {
	if err := checkLayerName(name); err != nil {
		return l, err
	}
	found, err := r.read(ctx, ownerLayer+name, versionRecord(version), &l)
	if err == nil && !found {
		err = missingLayer(name, version)
	}
	return l, err
}

func missingLayer(name string, version uint64) error {
	return fmt.Errorf("layer version %s:%d: %w", name, version, ErrNotFound)
}

// DeleteLayerVersion removes a version of a layer; functions that have it keep it.
// AWS does not mind if there is none.
func (r *Registry) DeleteLayerVersion(ctx context.Context, name string, version uint64) error {
	if err := checkLayerName(name); err != nil {
		return err
	}
	return r.change(ctx, ownerLayer+name, func(e *edit) error {
		found, err := e.read(versionRecord(version), new(struct{}))
		if found {
			e.delete(versionRecord(version))
		}
		return err
	})
}

// LayerPolicy changes the policy of a layer version by change, which may be called
// several times; a policy that is left without statements is removed.
func (r *Registry) LayerPolicy(ctx context.Context, name string, version uint64, change func(*Policy) error) (Policy, error) {
	if err := checkLayerName(name); err != nil {
		return Policy{}, err
	}
	var p Policy
	err := r.change(ctx, ownerLayer+name, func(e *edit) error {
		var l LayerVersion
		found, err := e.read(versionRecord(version), &l)
		if err != nil {
			return err
		}
		if !found {
			return missingLayer(name, version)
		}
		if l.Policy == nil {
			l.Policy = new(Policy)
		}
		if err := change(l.Policy); err != nil {
			return err
		}
		l.Policy.RevisionID = uuid.NewString()
		p = *l.Policy
		if len(p.Statements) == 0 {
			l.Policy = nil
		}
		return e.put(versionRecord(version), &l)
	})
	return p, err
}

// LayerVersions returns up to limit versions of a layer, the newest first as AWS
// does, below the version before; 0 begins with the newest. next is 0 on the last
// page. A layer that does not exist has none.
func (r *Registry) LayerVersions(ctx context.Context, name string, before uint64, limit int) (page []LayerVersion, next uint64, err error) {
	if err := checkLayerName(name); err != nil {
		return nil, 0, err
	}
	if err := checkLimit(limit); err != nil {
		return nil, 0, err
	}
	var h head
	if _, err := r.read(ctx, ownerLayer+name, recordHead, &h); err != nil {
		return nil, 0, err
	}
	if before == 0 || before > h.Last {
		before = h.Last + 1
	}
	const step = 64 // numbers at a time: a store lists forward only
	for end := before; end > 1; {
		begin := end - min(end-1, step)
		records, err := r.records.List(ctx, ownerLayer+name, prefixVersion, versionRecord(begin-1), int(end-begin))
		if err != nil {
			return nil, 0, err
		}
		for i := len(records) - 1; i >= 0; i-- {
			if records[i].Name >= versionRecord(end) {
				continue // in place of a deleted one
			}
			var l LayerVersion
			if err := decode(records[i], &l); err != nil {
				return nil, 0, err
			}
			if len(page) == limit {
				return page, page[limit-1].Version, nil
			}
			page = append(page, l)
		}
		end = begin
	}
	return page, 0, nil
}

// Layers returns up to limit layers as their newest version, in the order of
// their names, after the name after. match, if not nil, says which versions
// count. next is "" on the last page.
func (r *Registry) Layers(ctx context.Context, after string, limit int, match func(*LayerVersion) bool) (page []LayerVersion, next string, err error) {
	if err := checkLimit(limit); err != nil {
		return nil, "", err
	}
	from := ""
	if after != "" {
		from = ownerLayer + after
	}
	for {
		const step = 64
		owners, err := r.records.Owners(ctx, ownerLayer, from, step)
		if err != nil {
			return nil, "", err
		}
		for _, owner := range owners {
			from = owner
			l, found, err := r.newestLayer(ctx, strings.TrimPrefix(owner, ownerLayer), match)
			switch {
			case err != nil:
				return nil, "", err
			case !found:
				continue
			case len(page) == limit:
				return page, page[limit-1].Name, nil
			}
			page = append(page, l)
		}
		if len(owners) < step {
			return page, "", nil
		}
	}
}

func (r *Registry) newestLayer(ctx context.Context, name string, match func(*LayerVersion) bool) (LayerVersion, bool, error) {
	for before := uint64(0); ; {
		page, next, err := r.LayerVersions(ctx, name, before, 16)
		if err != nil {
			return LayerVersion{}, false, err
		}
		for i := range page {
			if match == nil || match(&page[i]) {
				return page[i], true, nil
			}
		}
		if next == 0 {
			return LayerVersion{}, false, nil
		}
		before = next
	}
}
