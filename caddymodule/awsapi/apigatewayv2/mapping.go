package apigatewayv2

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/domain"
)

// An APIMapping sends the requests of a base path of a domain name to a stage.
// https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/domainnames-domainname-apimappings.html
type APIMapping struct {
	ApiId         string `json:"apiId"`
	ApiMappingId  string `json:"apiMappingId"`
	ApiMappingKey string `json:"apiMappingKey"`
	Stage         string `json:"stage"`
}

type mappingInput struct {
	paging
	ApiId, ApiMappingId, DomainName, Stage string
	ApiMappingKey                          *string
}

func shownMapping(m *domain.Mapping) *APIMapping {
	return &APIMapping{ApiId: m.APIID, ApiMappingId: m.ID, ApiMappingKey: m.Key, Stage: m.Stage}
}

// CheckMapping checks a mapping of a name against the others and the API, which may be of either
// kind.
func (c *Config) CheckMapping(ctx context.Context, n *domain.Name, m *domain.Mapping, several bool) error {
	if err := domain.CheckKey(m.Key, several); err != nil {
		return invalid("Invalid mapping key: %v", err)
	}
	if n.Mapping(func(other *domain.Mapping) bool { return other.ID != m.ID && other.Key == m.Key }) != nil {
		return conflicts("ApiMapping key already exists for this domain name")
	}
	api, err := c.APIs.API(ctx, m.APIID)
	switch {
	case errors.Is(err, ErrNotFound):
		return &awsapi.Exception{Name: notFound, Message: "Invalid API identifier specified"}
	case err != nil:
		return err
	case m.Stage != "" && api.Stages[m.Stage] == nil:
		return &awsapi.Exception{Name: notFound, Message: "Invalid stage identifier specified"}
	}
	return nil
}

// AddMapping adds a mapping to a name.
func AddMapping(n *domain.Name, m domain.Mapping) error {
	if len(n.Mappings) >= domain.MaxMappings {
		return invalid("Maximum number of API mappings for this domain name has been reached: %d", domain.MaxMappings)
	}
	n.Mappings = append(n.Mappings, m)
	return nil
}

func (s *service) createMapping(ctx context.Context, in *mappingInput) (*APIMapping, error) {
	m := domain.Mapping{ID: awsapi.ChosenID(ctx, newID(6)), APIID: in.ApiId, Stage: in.Stage}
	if in.ApiMappingKey != nil {
		m.Key = *in.ApiMappingKey
	}
	if m.Stage == "" {
		return nil, invalid("Stage must not be empty")
	}
	err := s.Domains.Change(ctx, in.DomainName, func(n *domain.Name) error {
		if err := s.CheckMapping(ctx, n, &m, true); err != nil {
			return err
		}
		return AddMapping(n, m)
	})
	return shownMapping(&m), DomainException(err)
}

var errMissingMapping = &awsapi.Exception{Name: notFound, Message: "Invalid API mapping identifier specified"}

// mappingOf finds a mapping of a name.
func mappingOf(n *domain.Name, id string) (*domain.Mapping, error) {
	m := n.Mapping(func(m *domain.Mapping) bool { return m.ID == id })
	if m == nil {
		return nil, errMissingMapping
	}
	return m, nil
}

func (s *service) getMapping(ctx context.Context, in *mappingInput) (*APIMapping, error) {
	n, err := s.Domains.Get(ctx, in.DomainName)
	if err != nil {
		return nil, DomainException(err)
	}
	m, err := mappingOf(n, in.ApiMappingId)
	if err != nil {
		return nil, err
	}
	return shownMapping(m), nil
}

func (s *service) getMappings(ctx context.Context, in *mappingInput) (*list[*APIMapping], error) {
	n, err := s.Domains.Get(ctx, in.DomainName)
	if err != nil {
		return nil, DomainException(err)
	}
	all := make([]*APIMapping, len(n.Mappings))
	for i := range n.Mappings {
		all[i] = shownMapping(&n.Mappings[i])
	}
	slices.SortFunc(all, func(a, b *APIMapping) int { return cmp.Compare(a.ApiMappingId, b.ApiMappingId) })
	return pageOf(all, func(m *APIMapping) string { return m.ApiMappingId }, in.paging)
}

func (s *service) updateMapping(ctx context.Context, in *mappingInput) (*APIMapping, error) {
	var out *APIMapping
	err := s.Domains.Change(ctx, in.DomainName, func(n *domain.Name) error {
		m, err := mappingOf(n, in.ApiMappingId)
		if err != nil {
			return err
		}
		m.APIID, m.Stage = cmp.Or(in.ApiId, m.APIID), cmp.Or(in.Stage, m.Stage)
		if in.ApiMappingKey != nil {
			m.Key = *in.ApiMappingKey
		}
		out = shownMapping(m)
		return s.CheckMapping(ctx, n, m, true)
	})
	return out, DomainException(err)
}

func (s *service) deleteMapping(ctx context.Context, in *mappingInput) (awsapi.None, error) {
	return awsapi.None{}, DomainException(s.Domains.Change(ctx, in.DomainName, func(n *domain.Name) error {
		if _, err := mappingOf(n, in.ApiMappingId); err != nil {
			return err
		}
		n.Mappings = slices.DeleteFunc(n.Mappings, func(m domain.Mapping) bool { return m.ID == in.ApiMappingId })
		return nil
	}))
}
