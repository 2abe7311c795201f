package ssm

import (
	"context"
	"strings"
)

// A filter is one that lists are asked for by.
type filter struct {
	Key, Option string
	Values      []string
}

// matcher is what the filter selects. byPath allows what GetParametersByPath allows.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ParameterStringFilter.html
func (f *filter) matcher(byPath bool) (func(p *parameter) bool, error) {
	text := map[string]func(p *parameter) string{
		"Name":     func(p *parameter) string { return p.Name },
		"Type":     func(p *parameter) string { return p.Type },
		"Tier":     func(p *parameter) string { return p.Tier },
		"DataType": func(*parameter) string { return "text" },
		"KeyId": func(p *parameter) string {
			if p.Type == secure {
				return defaultKey
			}
			return ""
		},
	}
	key, isTag := strings.CutPrefix(f.Key, "tag:")
	switch {
	case byPath && f.Key != "Type" && f.Key != "KeyId":
		return nil, exception("InvalidFilterKey", "The following filter key is not valid: %s. Valid filter keys include: [Type, KeyId].", f.Key)
	case f.Key == "Label":
		return nil, exception("InvalidFilterKey", "The following filter key is not valid: Label. There are no labels here.")
	case len(f.Values) == 0 && !isTag:
		return nil, exception("InvalidFilterValue", "The following filter values are missing : null for filter key %s", f.Key)
	case f.Key == "Path":
		return f.path()
	case isTag:
		return func(p *parameter) bool {
			for _, t := range p.Tags {
				if t.Key == key {
					return len(f.Values) == 0 || f.any(func(v string) bool { return v == t.Value })
				}
			}
			return false
		}, nil
	}
	of := text[f.Key]
	switch f.Option {
	case "", "Equals":
		return func(p *parameter) bool { return f.any(func(v string) bool { return v == of(p) }) }, nil
	case "BeginsWith":
		return func(p *parameter) bool {
			return f.any(func(v string) bool { return strings.HasPrefix(of(p), v) })
		}, nil
	case "Contains":
		if f.Key == "Name" {
			return func(p *parameter) bool { return f.any(func(v string) bool { return strings.Contains(p.Name, v) }) }, nil
		}
	}
	return nil, exception("InvalidFilterOption", "The following filter option is not valid: %s. Valid options include: [BeginsWith, Equals].", f.Option)
}

func (f *filter) any(is func(value string) bool) bool {
	for _, v := range f.Values {
		if is(v) {
			return true
		}
	}
	return false
}

func (f *filter) path() (func(p *parameter) bool, error) {
	if f.Option != "" && f.Option != "OneLevel" && f.Option != "Recursive" {
		return nil, exception("InvalidFilterOption", "The following filter option is not valid: %s. Valid options include: [Recursive, OneLevel].", f.Option)
	}
	for _, path := range f.Values {
		if err := checkPath(path); err != nil {
			return nil, err
		}
	}
	return func(p *parameter) bool {
		return f.any(func(path string) bool { return within(p.Name, path, f.Option == "Recursive") })
	}, nil
}

func checkPath(path string) error {
	if path[0] != '/' || path != "/" && !namePattern.MatchString(path) || strings.Contains(path, "//") {
		return invalid("The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \"/\". It can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). It must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if specified, must use the forward slash symbol \"/\". Valid example: /get/parameters2-/by1./path0_.")
	}
	return nil
}

// within reports whether a parameter is below a path. One without a path is below /.
func within(name, path string, recursive bool) bool {
	rest, found := strings.CutPrefix(name, strings.TrimSuffix(path, "/")+"/")
	if path == "/" && name[0] != '/' {
		rest, found = name, true
	}
	return found && (recursive || !strings.Contains(rest, "/"))
}

// matches makes one function of filters. prefix is what the names of all that it selects begin
// with.
func matches(filters []filter, byPath bool) (match func(p *parameter) bool, prefix string, err error) {
	all := make([]func(p *parameter) bool, len(filters))
	for n := range filters {
		f := &filters[n]
		if all[n], err = f.matcher(byPath); err != nil {
			return nil, "", err
		}
		if len(f.Values) == 1 && (f.Key == "Name" && f.Option != "Contains" || f.Key == "Path" && f.Values[0] != "/") {
			prefix = f.Values[0]
		}
	}
	return func(p *parameter) bool {
		for _, is := range all {
			if !is(p) {
				return false
			}
		}
		return true
	}, prefix, nil
}

// list is a page of the parameters that match. next is the name to go on after, "" at the end.
func (s *service) list(ctx context.Context, prefix, after string, limit int, match func(p *parameter) bool) (found []*parameter, next string, err error) {
	if after != "" && checkName(after) != nil {
		return nil, "", exception("InvalidNextToken", "The specified token is not valid.")
	}
	err = s.scan(ctx, prefix, after, func(p *parameter) bool {
		if !match(p) {
			return true
		}
		if len(found) == limit {
			next = found[limit-1].Name
			return false
		}
		found = append(found, p)
		return true
	})
	return found, next, err
}

type byPathInput struct {
	Path             string
	Recursive        bool
	ParameterFilters []filter
	WithDecryption   bool
	MaxResults       int
	NextToken        string
}

type byPathOutput struct {
	Parameters []*shown
	NextToken  string `json:",omitempty"`
}

// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html
func (s *service) byPath(ctx context.Context, in *byPathInput) (*byPathOutput, error) {
	if err := checkPath(in.Path); err != nil {
		return nil, err
	}
	match, _, err := matches(in.ParameterFilters, true)
	if err != nil {
		return nil, err
	}
	prefix := strings.TrimSuffix(in.Path, "/")
	limit := 10 // AWS's default and most
	if in.MaxResults != 0 {
		limit = in.MaxResults
	}
	found, next, err := s.list(ctx, prefix, in.NextToken, limit, func(p *parameter) bool { return within(p.Name, in.Path, in.Recursive) && match(p) })
	if err != nil {
		return nil, err
	}
	out := &byPathOutput{[]*shown{}, next}
	for _, p := range found {
		v, err := s.show(p, in.WithDecryption)
		if err != nil {
			return nil, err
		}
		out.Parameters = append(out.Parameters, v)
	}
	return out, nil
}

type describeInput struct {
	Filters          []filter // as they were before
	ParameterFilters []filter
	MaxResults       int
	NextToken        string
	Shared           bool
}

// A described is a parameter without its value.
type described struct {
	Name, ARN, Type  string
	KeyID            string `json:"KeyId,omitempty"`
	LastModifiedDate timestamp
	Description      string `json:",omitempty"`
	AllowedPattern   string `json:",omitempty"`
	Version          int
	Tier             string
	Policies         []struct{}
	DataType         string
}

type describeOutput struct {
	Parameters []described
	NextToken  string `json:",omitempty"`
}

// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeParameters.html
func (s *service) describe(ctx context.Context, in *describeInput) (*describeOutput, error) {
	switch {
	case in.Shared:
		return nil, invalid("Shared is not supported: there are no other accounts here.")
	case len(in.Filters) > 0 && len(in.ParameterFilters) > 0:
		return nil, invalid("You can use either Filters or ParameterFilters in a single request.")
	}
	for n := range in.Filters {
		in.Filters[n].Option = "BeginsWith"
	}
	match, prefix, err := matches(append(in.ParameterFilters, in.Filters...), false)
	if err != nil {
		return nil, err
	}
	limit := 50 // AWS's default and most
	if in.MaxResults != 0 {
		limit = in.MaxResults
	}
	found, next, err := s.list(ctx, prefix, in.NextToken, limit, match)
	if err != nil {
		return nil, err
	}
	out := &describeOutput{[]described{}, next}
	for _, p := range found {
		d := described{
			Name: p.Name, ARN: s.arn(p.Name), Type: p.Type, LastModifiedDate: timestamp(p.Modified), Description: p.Description, AllowedPattern: p.Pattern,
			Version: p.Version, Tier: p.Tier, Policies: []struct{}{}, DataType: "text",
		}
		if p.Type == secure {
			d.KeyID = defaultKey
		}
		out.Parameters = append(out.Parameters, d)
	}
	return out, nil
}
