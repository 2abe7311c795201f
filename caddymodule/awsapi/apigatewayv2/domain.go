package apigatewayv2

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/domain"
)

// A DomainName is a custom domain name.
// https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/domainnames-domainname.html
type DomainName struct {
	ApiMappingSelectionExpression string                `json:"apiMappingSelectionExpression"`
	DomainName                    string                `json:"domainName"`
	DomainNameArn                 string                `json:"domainNameArn"`
	DomainNameConfigurations      []DomainConfiguration `json:"domainNameConfigurations"`
	RoutingMode                   string                `json:"routingMode"`
	Tags                          map[string]string     `json:"tags"`
}

// A DomainConfiguration says how a domain name is reached.
type DomainConfiguration struct {
	ApiGatewayDomainName string `json:"apiGatewayDomainName"`
	CertificateArn       string `json:"certificateArn,omitempty"`
	DomainNameStatus     string `json:"domainNameStatus"`
	EndpointType         string `json:"endpointType"`
	HostedZoneId         string `json:"hostedZoneId"`
	IpAddressType        string `json:"ipAddressType"`
	SecurityPolicy       string `json:"securityPolicy"`
}

// hostedZone stands for the zone of Route 53, which is not here, that an alias record names.
const hostedZone = "Z00000000HEARTH"

// CheckCertificate refuses an ARN of a certificate, unless the configuration has it ignored.
func (c *Config) CheckCertificate(arn string) error {
	if arn == "" || slices.Contains(c.Ignore, "certificate_arn") {
		return nil
	}
	return invalid("certificateArn is not supported: Caddy gets a certificate for the domain name by itself. (The option `ignore certificate_arn` of this server has it kept and not acted on.)")
}

// Target is the name of this server that a domain name's DNS record may point to.
func (c *Config) Target(n *domain.Name) string {
	u, err := url.Parse(c.Endpoint(n.Label))
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// DomainARN names a domain name.
func (c *Config) DomainARN(name string) string {
	return "arn:aws:apigateway:" + c.Account.Region + "::/domainnames/" + name
}

func (s *service) shownDomain(n *domain.Name) *DomainName {
	out := &DomainName{
		ApiMappingSelectionExpression: "$request.basepath", DomainName: n.Name, DomainNameArn: s.DomainARN(n.Name),
		DomainNameConfigurations: []DomainConfiguration{{
			ApiGatewayDomainName: s.Target(n), CertificateArn: n.CertificateARN, DomainNameStatus: "AVAILABLE", EndpointType: n.EndpointType,
			HostedZoneId: hostedZone, IpAddressType: "ipv4", SecurityPolicy: "TLS_1_2",
		}},
		RoutingMode: "API_MAPPING_ONLY", Tags: map[string]string{},
	}
	maps.Copy(out.Tags, n.Tags)
	return out
}

type domainInput struct {
	paging
	DomainName, RoutingMode  string
	DomainNameConfigurations []struct {
		ApiGatewayDomainName, CertificateArn, CertificateName, EndpointType string
		IpAddressType, OwnershipVerificationCertificateArn, SecurityPolicy  string
	}
	MutualTlsAuthentication map[string]any
	Tags                    map[string]string
}

// apply checks what is asked for and puts it into a name.
func (in *domainInput) apply(s *service, n *domain.Name) error {
	switch {
	case len(in.MutualTlsAuthentication) > 0:
		return invalid("mutualTlsAuthentication is not supported: Caddy has it, by the directive tls { client_auth }")
	case in.RoutingMode != "" && in.RoutingMode != "API_MAPPING_ONLY":
		return invalid("routingMode %.40s is not supported: there are no routing rules here", in.RoutingMode)
	case len(in.DomainNameConfigurations) > 1:
		return invalid("One domainNameConfigurations is supported")
	}
	for _, c := range in.DomainNameConfigurations {
		switch {
		case c.EndpointType != "" && c.EndpointType != "REGIONAL":
			return invalid("endpointType %.20s is not supported: REGIONAL is", c.EndpointType)
		case c.SecurityPolicy != "" && c.SecurityPolicy != "TLS_1_2":
			return invalid("securityPolicy %.40s is not supported: Caddy has TLS 1.2 and 1.3, see its directive tls", c.SecurityPolicy)
		case c.IpAddressType != "" && c.IpAddressType != "ipv4":
			return invalid("ipAddressType %s is not supported: the addresses of this server's sites count", c.IpAddressType)
		case c.OwnershipVerificationCertificateArn != "" || c.CertificateName != "":
			return invalid("certificateName and ownershipVerificationCertificateArn are not supported: Caddy gets a certificate for the domain name by itself")
		}
		if err := s.CheckCertificate(c.CertificateArn); err != nil {
			return err
		}
		if c.CertificateArn != "" {
			n.CertificateARN = c.CertificateArn
		}
	}
	return checkTags(n.Tags)
}

// DomainException is the exception of an error of package domain.
func DomainException(err error) error {
	switch {
	case errors.Is(err, domain.ErrNotFound):
		return &awsapi.Exception{Name: notFound, Message: "Invalid domain name identifier specified"}
	case errors.Is(err, domain.ErrExists):
		return conflicts("The domain name you provided already exists.")
	case errors.Is(err, domain.ErrTooMany):
		return &awsapi.Exception{Name: "LimitExceededException", Status: 429, Message: fmt.Sprintf("This server has %d domain names at most", domain.MaxNames)}
	}
	return err
}

// NewDomain makes a domain name that nothing is wrong with.
func (c *Config) NewDomain(n *domain.Name) error {
	if c.Endpoint("") == "" {
		return invalid("Domain names are not supported: this server has no address for APIs. Set the global option api_url")
	}
	n.Name = strings.ToLower(n.Name)
	if err := domain.CheckName(n.Name); err != nil {
		return invalid("Invalid domain name: %v", err)
	}
	n.Label, n.Created = "d-"+newID(10), c.Now().UTC()
	return nil
}

func (s *service) createDomain(ctx context.Context, in *domainInput) (*DomainName, error) {
	n := &domain.Name{Name: in.DomainName, EndpointType: "REGIONAL", Tags: in.Tags}
	if err := s.NewDomain(n); err != nil {
		return nil, err
	}
	if err := in.apply(s, n); err != nil {
		return nil, err
	}
	return s.shownDomain(n), DomainException(s.Domains.Create(ctx, n))
}

func (s *service) getDomain(ctx context.Context, in *domainInput) (*DomainName, error) {
	n, err := s.Domains.Get(ctx, in.DomainName)
	if err != nil {
		return nil, DomainException(err)
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

func (s *service) updateDomain(ctx context.Context, in *domainInput) (*DomainName, error) {
	var out *DomainName
	err := s.Domains.Change(ctx, in.DomainName, func(n *domain.Name) error {
		if err := in.apply(s, n); err != nil {
			return err
		}
		out = s.shownDomain(n)
		return nil
	})
	return out, DomainException(err)
}

func (s *service) deleteDomain(ctx context.Context, in *domainInput) (awsapi.None, error) {
	return awsapi.None{}, DomainException(s.Domains.Remove(ctx, in.DomainName))
}

// TaggedDomain is the domain name that an ARN names.
func (c *Config) TaggedDomain(arn string) (name string, ok bool) {
	return strings.CutPrefix(arn, c.DomainARN(""))
}

// ChangeDomainTags changes the tags of a domain name.
func (c *Config) ChangeDomainTags(ctx context.Context, name string, change func(tags map[string]string)) error {
	return DomainException(c.Domains.Change(ctx, name, func(n *domain.Name) error {
		if n.Tags == nil {
			n.Tags = make(map[string]string)
		}
		change(n.Tags)
		return checkTags(n.Tags)
	}))
}
