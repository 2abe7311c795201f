package apigatewayv1

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/caddymodule/awsapi/domain"
)

// A DomainName is a custom domain name.
// https://docs.aws.amazon.com/apigateway/latest/api/API_DomainName.html
type DomainName struct {
	CertificateArn         string            `json:"certificateArn,omitempty"`
	DistributionDomainName string            `json:"distributionDomainName,omitempty"`
	DistributionZone       string            `json:"distributionHostedZoneId,omitempty"`
	DomainName             string            `json:"domainName"`
	DomainNameArn          string            `json:"domainNameArn"`
	DomainNameStatus       string            `json:"domainNameStatus"`
	EndpointConfiguration  *endpoint         `json:"endpointConfiguration"`
	RegionalCertificateArn string            `json:"regionalCertificateArn,omitempty"`
	RegionalDomainName     string            `json:"regionalDomainName,omitempty"`
	RegionalHostedZoneId   string            `json:"regionalHostedZoneId,omitempty"`
	RoutingMode            string            `json:"routingMode"`
	SecurityPolicy         string            `json:"securityPolicy"`
	Tags                   map[string]string `json:"tags,omitempty"`
}

// hostedZone stands for the zone of Route 53, which is not here, that an alias record names.
const hostedZone = "Z00000000HEARTH"

// noCertificate says why certificates are refused.
const noCertificate = "Caddy gets a certificate for the domain name by itself"

func (s *service) shownDomain(n *domain.Name) *DomainName {
	out := &DomainName{
		DomainName: n.Name, DomainNameArn: s.DomainARN(n.Name), DomainNameStatus: "AVAILABLE", RoutingMode: "BASE_PATH_MAPPING_ONLY", SecurityPolicy: "TLS_1_2",
		EndpointConfiguration: &endpoint{IpAddressType: "ipv4", Types: []string{n.EndpointType}}, Tags: n.Tags,
	}
	if n.EndpointType == "EDGE" {
		out.CertificateArn, out.DistributionDomainName, out.DistributionZone = n.CertificateARN, s.Target(n), hostedZone
	} else {
		out.RegionalCertificateArn, out.RegionalDomainName, out.RegionalHostedZoneId = n.CertificateARN, s.Target(n), hostedZone
	}
	return out
}

type domainInput struct {
	patches
	paging
	DomainName, DomainNameId, ResourceOwner                                 string
	CertificateName, CertificateBody, CertificatePrivateKey                 string
	CertificateChain, CertificateArn                                        string
	RegionalCertificateName, RegionalCertificateArn                         string
	SecurityPolicy, EndpointAccessMode, OwnershipVerificationCertificateArn string
	Policy, RoutingMode                                                     string
	EndpointConfiguration                                                   *endpoint
	MutualTlsAuthentication                                                 map[string]any
	Tags                                                                    map[string]string
}

// Check implements awsapi.Checker.
func (in *domainInput) Check() error {
	if in.ResourceOwner != "" && in.ResourceOwner != "SELF" {
		return invalid("resourceOwner %s is not supported: there is one account here.", in.ResourceOwner)
	}
	return isPublic(in.DomainNameId)
}

// isPublic refuses the ID that a private domain name has.
func isPublic(id string) error {
	if id != "" {
		return invalid("domainNameId is not supported: there are no private domain names.")
	}
	return nil
}

func (in *domainInput) check() error {
	switch {
	case in.CertificateName != "" || in.CertificateBody != "" || in.CertificatePrivateKey != "" || in.CertificateChain != "" || in.RegionalCertificateName != "",
		in.OwnershipVerificationCertificateArn != "":
		return invalid("Certificates are not supported: %s", noCertificate)
	case in.SecurityPolicy != "" && in.SecurityPolicy != "TLS_1_2", in.EndpointAccessMode != "":
		return invalid("securityPolicy other than TLS_1_2 and endpointAccessMode are not supported: %s", noTLSPolicy)
	case len(in.MutualTlsAuthentication) > 0:
		return invalid("mutualTlsAuthentication is not supported: Caddy has it, by the directive tls { client_auth }")
	case in.Policy != "":
		return invalid("policy is not supported: domain names are public here")
	case in.RoutingMode != "" && in.RoutingMode != "BASE_PATH_MAPPING_ONLY":
		return invalid("routingMode %.40s is not supported: there are no routing rules here", in.RoutingMode)
	}
	return nil
}

func (s *service) createDomain(ctx context.Context, in *domainInput) (*DomainName, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	n := &domain.Name{Name: in.DomainName, EndpointType: "EDGE", Tags: in.Tags, CertificateARN: cmp.Or(in.CertificateArn, in.RegionalCertificateArn)}
	if at := in.EndpointConfiguration; at != nil && len(at.Types) > 0 {
		if n.EndpointType = at.Types[0]; len(at.Types) > 1 || n.EndpointType != "EDGE" && n.EndpointType != "REGIONAL" || at.IpAddressType != "" && at.IpAddressType != "ipv4" {
			return nil, invalid("An endpointConfiguration other than one of EDGE or REGIONAL with ipv4 is not supported")
		}
	}
	if err := s.NewDomain(n); err != nil {
		return nil, err
	}
	if err := s.CheckCertificate(n.CertificateARN); err != nil {
		return nil, err
	}
	if err := apigatewayv2.CheckTags(n.Tags); err != nil {
		return nil, err
	}
	return s.shownDomain(n), apigatewayv2.DomainException(s.Domains.Create(ctx, n))
}

func (s *service) getDomain(ctx context.Context, in *domainInput) (*DomainName, error) {
	n, err := s.Domains.Get(ctx, in.DomainName)
	if err != nil {
		return nil, apigatewayv2.DomainException(err)
	}
	return s.shownDomain(n), nil
}

func (s *service) getDomains(ctx context.Context, in *domainInput) (*list[*DomainName], error) {
	names, err := s.Domains.All(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]*DomainName, len(names))
	for n, name := range names {
		all[n] = s.shownDomain(name)
	}
	return pageOf(all, func(n *DomainName) string { return n.DomainName }, in.paging)
}

func (s *service) updateDomain(ctx context.Context, in *domainInput) (out *DomainName, err error) {
	err = s.Domains.Change(ctx, in.DomainName, func(n *domain.Name) error {
		can := fields{
			exact: map[string]field{
				"/certificateArn": text(&n.CertificateARN), "/regionalCertificateArn": text(&n.CertificateARN),
				"/securityPolicy": off("securityPolicy", "TLS_1_2", noTLSPolicy), "/certificateName": off("certificateName", "", noCertificate),
				"/regionalCertificateName": off("regionalCertificateName", "", noCertificate), "/policy": off("policy", "", "domain names are public here"),
				"/routingMode":                         off("routingMode", "BASE_PATH_MAPPING_ONLY", "there are no routing rules here"),
				"/endpointConfiguration/ipAddressType": off("ipAddressType", "ipv4", "the addresses of this server's sites count"),
			},
			prefix: map[string]func(string) field{
				"/endpointConfiguration/types/": func(string) field { return text(&n.EndpointType) },
				"/mutualTlsAuthentication/": func(string) field {
					return off("mutualTlsAuthentication", "", "Caddy has it, by the directive tls { client_auth }")
				},
			},
		}
		if err := can.apply(in.PatchOperations); err != nil {
			return err
		}
		if n.EndpointType != "EDGE" && n.EndpointType != "REGIONAL" {
			return invalid("Endpoint type %.20q is not supported: EDGE and REGIONAL are", n.EndpointType)
		}
		out = s.shownDomain(n)
		return s.CheckCertificate(n.CertificateARN)
	})
	return out, apigatewayv2.DomainException(err)
}

func (s *service) deleteDomain(ctx context.Context, in *domainInput) (awsapi.None, error) {
	return awsapi.None{}, apigatewayv2.DomainException(s.Domains.Remove(ctx, in.DomainName))
}

// A BasePathMapping sends the requests of a base path of a domain name to an API.
// https://docs.aws.amazon.com/apigateway/latest/api/API_BasePathMapping.html
type BasePathMapping struct {
	BasePath  string `json:"basePath"`
	RestApiId string `json:"restApiId"`
	Stage     string `json:"stage,omitempty"`
}

// noBasePath is how the empty base path is written.
const noBasePath = "(none)"

func shownMapping(m *domain.Mapping) *BasePathMapping {
	return &BasePathMapping{cmp.Or(m.Key, noBasePath), m.APIID, m.Stage}
}

// keyOf is a base path as mappings have it.
func keyOf(basePath string) string {
	if basePath == noBasePath {
		return ""
	}
	return basePath
}

type basePathInput struct {
	patches
	paging
	BasePath, DomainName, DomainNameId, RestApiId, Stage string
}

// Check implements awsapi.Checker.
func (in *basePathInput) Check() error { return isPublic(in.DomainNameId) }

func (s *service) createBasePathMapping(ctx context.Context, in *basePathInput) (*BasePathMapping, error) {
	m := domain.Mapping{ID: apigatewayv2.NewID(6), Key: keyOf(in.BasePath), APIID: in.RestApiId, Stage: in.Stage}
	err := s.Domains.Change(ctx, in.DomainName, func(n *domain.Name) error {
		if err := s.CheckMapping(ctx, n, &m, false); err != nil {
			return err
		}
		return apigatewayv2.AddMapping(n, m)
	})
	return shownMapping(&m), apigatewayv2.DomainException(err)
}

// mappingOf finds the mapping of a base path.
func mappingOf(n *domain.Name, basePath string) (*domain.Mapping, error) {
	m := n.Mapping(func(m *domain.Mapping) bool { return m.Key == keyOf(basePath) })
	if m == nil {
		return nil, missing("base path mapping")
	}
	return m, nil
}

func (s *service) getBasePathMapping(ctx context.Context, in *basePathInput) (*BasePathMapping, error) {
	n, err := s.Domains.Get(ctx, in.DomainName)
	if err != nil {
		return nil, apigatewayv2.DomainException(err)
	}
	m, err := mappingOf(n, in.BasePath)
	if err != nil {
		return nil, err
	}
	return shownMapping(m), nil
}

func (s *service) getBasePathMappings(ctx context.Context, in *basePathInput) (*list[*BasePathMapping], error) {
	n, err := s.Domains.Get(ctx, in.DomainName)
	if err != nil {
		return nil, apigatewayv2.DomainException(err)
	}
	all := make([]*BasePathMapping, len(n.Mappings))
	for i := range n.Mappings {
		all[i] = shownMapping(&n.Mappings[i])
	}
	slices.SortFunc(all, func(a, b *BasePathMapping) int { return cmp.Compare(a.BasePath, b.BasePath) })
	return pageOf(all, func(m *BasePathMapping) string { return m.BasePath }, in.paging)
}

func (s *service) updateBasePathMapping(ctx context.Context, in *basePathInput) (out *BasePathMapping, err error) {
	err = s.Domains.Change(ctx, in.DomainName, func(n *domain.Name) error {
		m, err := mappingOf(n, in.BasePath)
		if err != nil {
			return err
		}
		can := fields{exact: map[string]field{"/basePath": text(&m.Key), "/basepath": text(&m.Key), "/restapiId": text(&m.APIID), "/restApiId": text(&m.APIID), "/stage": text(&m.Stage)}}
		if err := can.apply(in.PatchOperations); err != nil {
			return err
		}
		m.Key = keyOf(m.Key)
		out = shownMapping(m)
		return s.CheckMapping(ctx, n, m, false)
	})
	return out, apigatewayv2.DomainException(err)
}

func (s *service) deleteBasePathMapping(ctx context.Context, in *basePathInput) (awsapi.None, error) {
	return awsapi.None{}, apigatewayv2.DomainException(s.Domains.Change(ctx, in.DomainName, func(n *domain.Name) error {
		if _, err := mappingOf(n, in.BasePath); err != nil {
			return err
		}
		n.Mappings = slices.DeleteFunc(n.Mappings, func(m domain.Mapping) bool { return m.Key == keyOf(in.BasePath) })
		return nil
	}))
}

// domainTags are the tags of a domain name.
func (s *service) domainTags(ctx context.Context, name string) (*apigatewayv2.TagsOutput, error) {
	n, err := s.Domains.Get(ctx, name)
	if err != nil {
		return nil, apigatewayv2.DomainException(err)
	}
	out := &apigatewayv2.TagsOutput{Tags: map[string]string{}}
	maps.Copy(out.Tags, n.Tags)
	return out, nil
}
