package ssm

import (
	"context"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/state"
)

// Config of the service.
type Config struct {
	Records state.Records
	Account function.Account
	Key     []byte           // of 32 bytes, which encrypts values of the type SecureString
	Now     func() time.Time // default time.Now
}

type service struct {
	Config
	aead cipher.AEAD
}

// maxBody is far more than ten parameters take, in bytes.
const maxBody = 256 << 10

// New makes the service.
func New(c Config) *awsapi.Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &service{c, newAEAD(c.Key)}
	return &awsapi.Service{
		Model: newModel(),
		Operations: map[string]awsapi.Operation{
			"PutParameter":           awsapi.Answer(s.put),
			"GetParameter":           awsapi.Answer(s.get),
			"GetParameters":          awsapi.Answer(s.getSome),
			"GetParametersByPath":    awsapi.Answer(s.byPath),
			"DescribeParameters":     awsapi.Answer(s.describe),
			"DeleteParameter":        awsapi.Answer(s.delete),
			"DeleteParameters":       awsapi.Answer(s.deleteSome),
			"AddTagsToResource":      awsapi.Answer(s.addTags),
			"RemoveTagsFromResource": awsapi.Answer(s.removeTags),
			"ListTagsForResource":    awsapi.Answer(s.listTags),
		},
		Unsupported: unsupported, Exception: exceptionOf, Invalid: "ValidationException", MaxBody: maxBody,
	}
}

// unsupported says why an operation is not answered.
func unsupported(operation string) string {
	if strings.Contains(operation, "ParameterVersion") || strings.Contains(operation, "ParameterHistory") {
		return "this server keeps the current version of a parameter alone"
	}
	return "of Systems Manager this server has the Parameter Store alone"
}

func exception(name, format string, args ...any) error {
	return &awsapi.Exception{Name: name, Message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error {
	return exception("ValidationException", format, args...)
}

func missing(name string) error {
	return exception("ParameterNotFound", "Parameter %.1024s not found.", name)
}

func exceptionOf(err error) *awsapi.Exception {
	if errors.Is(err, state.ErrConflict) {
		return &awsapi.Exception{Name: "TooManyUpdates", Message: "There are concurrent updates for a resource that supports one update at a time."}
	}
	return nil
}

const (
	owner = "ssm"

	// recordFormat is the format of the records that this package writes.
	recordFormat = 1

	// maxTries is how often a writer reads and decides again because others wrote.
	maxTries = 32

	// page is how many records are read at once.
	page = 256
)

// A parameter is the record of a parameter.
type parameter struct {
	Format      int       `json:"format"`
	Name        string    `json:"name"`
	Type        string    `json:"type"`
	Value       string    `json:"value"` // encrypted if it is a SecureString
	Version     int       `json:"version"`
	Modified    time.Time `json:"modified"`
	Description string    `json:"description,omitempty"`
	Pattern     string    `json:"pattern,omitempty"`
	Tier        string    `json:"tier"`
	Tags        []tag     `json:"tags,omitempty"`
}

func decode(r state.Record) (*parameter, error) {
	p := new(parameter)
	if err := json.Unmarshal(r.Value, p); err != nil {
		return nil, fmt.Errorf("record %q of %q: %w: %w", r.Name, r.Owner, state.ErrDamaged, err)
	}
	if p.Format > recordFormat {
		return nil, fmt.Errorf("record %q of %q has format %d, this Hearth knows %d: %w", r.Name, r.Owner, p.Format, recordFormat, state.ErrNewer)
	}
	return p, nil
}

// read returns nil if there is no parameter of that name.
func (s *service) read(ctx context.Context, name string) (*parameter, state.Revision, error) {
	r, err := s.Records.Read(ctx, state.Key{Owner: owner, Name: name})
	switch {
	case errors.Is(err, state.ErrNotFound):
		return nil, state.Absent, nil
	case err != nil:
		return nil, 0, err
	}
	p, err := decode(r)
	return p, r.Revision, err
}

// change lets decide say what a parameter is to be, given what it is or nil, until no other
// writer came between. nil removes it.
func (s *service) change(ctx context.Context, name string, decide func(p *parameter) (*parameter, error)) error {
	for range maxTries {
		old, revision, err := s.read(ctx, name)
		if err != nil {
			return err
		}
		next, err := decide(old)
		if err != nil || next == nil && old == nil {
			return err
		}
		change := state.Delete(name, revision)
		if next != nil {
			next.Format = recordFormat
			value, err := json.Marshal(next)
			if err != nil {
				return err
			}
			change = state.Put(name, revision, value)
		}
		if _, err = s.Records.Change(ctx, owner, change); !errors.Is(err, state.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("parameter %q is changed by too many at once: %w", name, state.ErrConflict)
}

// scan gives visit the parameters whose names begin with prefix and come after the name after,
// in order, until it returns false.
func (s *service) scan(ctx context.Context, prefix, after string, visit func(p *parameter) bool) error {
	for {
		records, err := s.Records.List(ctx, owner, prefix, after, page)
		if err != nil {
			return err
		}
		for _, r := range records {
			p, err := decode(r)
			if err != nil {
				return err
			}
			if !visit(p) {
				return nil
			}
		}
		if len(records) < page {
			return nil
		}
		after = records[len(records)-1].Name
	}
}

// count is how many parameters there are.
func (s *service) count(ctx context.Context) (n int, err error) {
	for after := ""; ; {
		records, err := s.Records.List(ctx, owner, "", after, page)
		if n += len(records); err != nil || len(records) < page {
			return n, err
		}
		after = records[len(records)-1].Name
	}
}

type tag struct{ Key, Value string }

// maxTags is AWS's limit.
const maxTags = 50

// merge is tags with those of more, in the order of their keys.
func merge(tags, more []tag) ([]tag, error) {
	out := slices.Clone(tags)
	for _, t := range more {
		if strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
			return nil, invalid("Tag keys that begin with aws: are reserved for system tags")
		}
		out = append(without(out, t.Key), t)
	}
	if len(out) > maxTags {
		return nil, exception("TooManyTagsError", "A parameter has %d tags at most.", maxTags)
	}
	slices.SortFunc(out, func(x, y tag) int { return strings.Compare(x.Key, y.Key) })
	return out, nil
}

// without is tags without that of a key.
func without(tags []tag, key string) []tag {
	return slices.DeleteFunc(tags, func(t tag) bool { return t.Key == key })
}

type tagInput struct {
	ResourceType, ResourceId string
	Tags                     []tag
	TagKeys                  []string
}

// tagged changes the tags of the parameter that a call is about.
func (s *service) tagged(ctx context.Context, in *tagInput, change func(tags []tag) ([]tag, error)) error {
	name, err := in.name()
	if err != nil {
		return err
	}
	return s.change(ctx, name, func(p *parameter) (*parameter, error) {
		if p == nil {
			return nil, in.missing()
		}
		p.Tags, err = change(p.Tags)
		return p, err
	})
}

func (in *tagInput) name() (string, error) {
	if in.ResourceType != "Parameter" {
		return "", exception("InvalidResourceType", "The resource type %s is not supported: this server has parameters alone.", in.ResourceType)
	}
	if len(in.ResourceId) > maxName || in.ResourceId == "" || checkName(in.ResourceId) != nil {
		return "", in.missing()
	}
	return in.ResourceId, nil
}

func (in *tagInput) missing() error {
	return exception("InvalidResourceId", "The resource ID %.256q is not valid. Verify that you entered the correct ID and try again.", in.ResourceId)
}

// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_AddTagsToResource.html
func (s *service) addTags(ctx context.Context, in *tagInput) (awsapi.None, error) {
	return awsapi.None{}, s.tagged(ctx, in, func(tags []tag) ([]tag, error) { return merge(tags, in.Tags) })
}

// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_RemoveTagsFromResource.html
func (s *service) removeTags(ctx context.Context, in *tagInput) (awsapi.None, error) {
	return awsapi.None{}, s.tagged(ctx, in, func(tags []tag) ([]tag, error) {
		for _, key := range in.TagKeys {
			tags = without(tags, key)
		}
		return tags, nil
	})
}

type tagsOutput struct{ TagList []tag }

// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ListTagsForResource.html
func (s *service) listTags(ctx context.Context, in *tagInput) (*tagsOutput, error) {
	name, err := in.name()
	if err != nil {
		return nil, err
	}
	p, _, err := s.read(ctx, name)
	if err == nil && p == nil {
		err = in.missing()
	}
	if err != nil {
		return nil, err
	}
	return &tagsOutput{append([]tag{}, p.Tags...)}, nil
}
