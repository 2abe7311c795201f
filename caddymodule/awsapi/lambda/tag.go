package lambda

import (
	"errors"
	"maps"
	"regexp"
	"strings"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// maxTags is AWS's limit.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html
const maxTags = 50

func checkTags(tags map[string]string) error {
	for key := range tags {
		switch {
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return invalid("Tag keys that begin with aws: are reserved.")
		case key == "" || len(key) > 128 || len(tags[key]) > 256:
			return invalid("The key of a tag has 1 to 128 characters, its value 256 at most.")
		}
	}
	if len(tags) > maxTags {
		return invalid("Number of tags exceeds resource tag limit.")
	}
	_, err := (&registry.Tags{Tags: tags}).QueueTimeout()
	return err
}

// tags are a function's.
func (a *API) tags(r *request, name string) (map[string]string, error) {
	if a.Registry.ReadOnly(name) {
		return map[string]string{definedIn: "Caddyfile"}, nil
	}
	t, err := a.Registry.Tags.Read(r.Context(), name, function.Latest)
	if errors.Is(err, registry.ErrNotFound) {
		return nil, nil
	}
	return t.Tags, err
}

type tagInput struct {
	Resource string
	Tags     map[string]string
	TagKeys  []string
}

var mappingARN = regexp.MustCompile(`^arn:[^:]+:lambda:[^:]+:\d{12}:event-source-mapping:([0-9a-fA-F-]+)$`)

// changeTags changes the tags of a function or an event source mapping.
func (a *API) changeTags(r *request, resource string, change func(map[string]string)) error {
	apply := func(tags *map[string]string) error {
		changed := maps.Clone(*tags)
		if changed == nil {
			changed = make(map[string]string)
		}
		change(changed)
		*tags = changed
		return checkTags(changed)
	}
	if uuid := mappingARN.FindStringSubmatch(resource); uuid != nil {
		_, err := a.Registry.UpdateMapping(r.Context(), uuid[1], func(m *registry.Mapping) error { return apply(&m.Tags) })
		return missing(err, "Event source mapping not found: "+resource)
	}
	if id := a.signingID(resource); id != "" {
		_, err := a.Registry.UpdateCodeSigning(r.Context(), id, func(c *registry.CodeSigning) error { return apply(&c.Tags) })
		return missingSigning(err, resource)
	}
	name, err := a.tagged(resource)
	if err != nil {
		return err
	}
	_, err = a.Registry.Tags.Put(r.Context(), name, function.Latest, func(t *registry.Tags, _ bool) error { return apply(&t.Tags) })
	if err == nil {
		a.refresh(r.Context(), name, function.Latest) // a tag may say how long calls wait
	}
	return missing(err, "Function not found: "+resource)
}

// tagged is the function that a resource's ARN names.
func (a *API) tagged(resource string) (string, error) {
	if strings.Contains(resource, ":capacity-provider:") {
		return "", exception("ResourceNotFoundException", "Capacity provider not found: "+resource)
	}
	if !strings.Contains(resource, ":function:") {
		return "", exception("ResourceNotFoundException", "Resource not found: "+resource)
	}
	f, err := a.find(resource, "")
	if err == nil && f.qualifier != "" {
		err = invalid("Tags on function aliases and versions are not supported. Please specify a function ARN.")
	}
	return f.name, err
}

// https://docs.aws.amazon.com/lambda/latest/api/API_TagResource.html
func tagResource(a *API, r *request, in *tagInput) (none, error) {
	if len(in.Tags) == 0 {
		return none{}, invalid("An error occurred and the request cannot be processed.")
	}
	return none{}, a.changeTags(r, in.Resource, func(tags map[string]string) { maps.Copy(tags, in.Tags) })
}

// https://docs.aws.amazon.com/lambda/latest/api/API_UntagResource.html
func untagResource(a *API, r *request, in *tagInput) (none, error) {
	return none{}, a.changeTags(r, in.Resource, func(tags map[string]string) {
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
	})
}

type tagsOutput struct{ Tags map[string]string }

// https://docs.aws.amazon.com/lambda/latest/api/API_ListTags.html
func listTags(a *API, r *request, in *tagInput) (*tagsOutput, error) {
	out := &tagsOutput{Tags: map[string]string{}}
	if uuid := mappingARN.FindStringSubmatch(in.Resource); uuid != nil {
		m, err := a.Registry.Mapping(r.Context(), uuid[1])
		if m.Tags != nil {
			out.Tags = m.Tags
		}
		return out, missing(err, "Event source mapping not found: "+in.Resource)
	}
	if id := a.signingID(in.Resource); id != "" {
		c, err := a.Registry.CodeSigning(r.Context(), id)
		if c.Tags != nil {
			out.Tags = c.Tags
		}
		return out, missingSigning(err, in.Resource)
	}
	name, err := a.tagged(in.Resource)
	if err != nil {
		return nil, err
	}
	if _, err := a.version(r, reference{name: name}); err != nil {
		return nil, err
	}
	tags, err := a.tags(r, name)
	if tags != nil {
		out.Tags = tags
	}
	return out, err
}
