package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/google/uuid"

	"github.com/hearthfn/hearth/warmpool/function"
)

// PublishRequest is what PublishVersion may ask for; "" asks nothing.
type PublishRequest struct {
	CodeSHA256  string // must be that of $LATEST
	RevisionID  string // must be that of $LATEST
	Description string // in place of that of $LATEST
}

// Publish makes a version of $LATEST. When neither code nor configuration changed
// since the last version, that version is returned.
// https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html
func (r *Registry) Publish(ctx context.Context, name string, request PublishRequest) (Version, error) {
	if err := r.checkWritable(name); err != nil {
		return Version{}, err
	}
	var v Version
	err := r.change(ctx, ownerFunction+name, func(e *edit) (err error) {
		if v, err = e.latest(name); err != nil {
			return err
		}
		if err := checkRevision(request.RevisionID, v.RevisionID, "function "+name); err != nil {
			return err
		}
		if request.CodeSHA256 != "" && request.CodeSHA256 != v.Code.SHA256 {
			return fmt.Errorf("CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%s). Please try again with the CodeSHA256 in $LATEST.: %w", request.CodeSHA256, v.Code.SHA256, ErrInvalid)
		}
		digest, err := digestOf(&v)
		if err != nil {
			return err
		}
		if digest == e.head.Published {
			var last Version
			if found, err := e.read(versionRecord(e.head.Last), &last); err != nil || found {
				v = last
				return err
			}
		}
		latest := v
		latest.RevisionID = uuid.NewString() // AWS gives $LATEST a new one too
		if err := e.put(recordLatest, &latest); err != nil {
			return err
		}
		e.head.Last, e.head.Published = e.head.Last+1, digest
		v.Version = strconv.FormatUint(e.head.Last, 10)
		v.RevisionID = uuid.NewString()
		if request.Description != "" {
			v.Description = request.Description
		}
		e.moreCode = v.Code.Size
		return e.put(versionRecord(e.head.Last), &v)
	})
	return v, err
}

// digestOf tells states of $LATEST apart that differ in code or configuration.
func digestOf(v *Version) (string, error) {
	content, err := json.Marshal(struct {
		Configuration Configuration
		Code          Code
	}{v.Configuration, v.Code})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:]), nil
}

// Versions returns up to limit versions of a function: $LATEST, then the
// published ones in order, after the version after. next is "" on the last page.
func (r *Registry) Versions(ctx context.Context, name, after string, limit int) (page []*Version, next string, err error) {
	if err := checkLimit(limit); err != nil {
		return nil, "", err
	}
	latest, err := r.Version(ctx, name, function.Latest)
	if err != nil {
		return nil, "", err
	}
	from := ""
	switch {
	case after == "":
		page = append(page, latest)
	case after != function.Latest:
		record, ok := recordOf(after)
		if !ok {
			return nil, "", fmt.Errorf("function %s: version %.80q: %w", name, after, ErrInvalid)
		}
		from = record
	}
	if r.fixed.functions[name] != nil {
		return page, "", nil
	}
	records, err := r.records.List(ctx, ownerFunction+name, prefixVersion, from, limit+1-len(page))
	if err != nil {
		return nil, "", err
	}
	for _, record := range records {
		v := new(Version)
		if err := decode(record, v); err != nil {
			return nil, "", err
		}
		page = append(page, v)
	}
	if len(page) > limit {
		return page[:limit], page[limit-1].Version, nil
	}
	return page, "", nil
}

// DeleteVersion removes a published version and its settings. It returns ErrConflict if an
// alias points to the version.
func (r *Registry) DeleteVersion(ctx context.Context, name, version string) error {
	if err := r.checkWritable(name); err != nil {
		return err
	}
	record, ok := recordOf(version)
	if !ok || version == function.Latest {
		return fmt.Errorf("function %s: version %.80q cannot be deleted without deleting the function: %w", name, version, ErrInvalid)
	}
	return r.change(ctx, ownerFunction+name, func(e *edit) error {
		if _, err := e.latest(name); err != nil {
			return err
		}
		found, err := e.read(record, new(Version))
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("function %s: version %s: %w", name, version, ErrNotFound)
		}
		aliases, _, err := r.Aliases(e.ctx, name, version, "", math.MaxInt)
		if err != nil {
			return err
		}
		if len(aliases) > 0 {
			return fmt.Errorf("function %s: version %s is used by alias %s: %w", name, version, aliases[0].Name, ErrConflict)
		}
		e.delete(record)
		e.deleteSettings(version)
		return nil
	})
}
