package transform

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// domain makes the custom domain of a REST API, what maps it to the API, and its records.
func (r *restMaker) domain(config object) []*resource {
	name, certificate := config["DomainName"], config["CertificateArn"]
	if name == nil {
		r.fail("Property 'Domain.DomainName' is required.")
		return nil
	}
	if certificate == nil {
		r.fail("Property 'Domain.CertificateArn' is required.")
		return nil
	}
	endpoint := config["EndpointConfiguration"]
	if endpoint == nil {
		endpoint = "REGIONAL"
		config["EndpointConfiguration"] = endpoint
	}
	if endpoint != "EDGE" && endpoint != "REGIONAL" && endpoint != "PRIVATE" {
		r.fail("EndpointConfiguration for Custom Domains must be one of ['EDGE', 'REGIONAL', 'PRIVATE'].")
		return nil
	}
	private := endpoint == "PRIVATE"
	kind := "ApiGateway::DomainName"
	if private {
		kind = "ApiGateway::DomainNameV2"
	}
	domain := r.source.make(hashed(strings.ReplaceAll(kind, "::", ""), name), "AWS::"+kind)
	types := object{"Types": []any{endpoint}}
	if truthy(config["IpAddressType"]) {
		types["IpAddressType"] = config["IpAddressType"]
	}
	domain.properties = object{"DomainName": name, "EndpointConfiguration": types}
	if endpoint == "REGIONAL" {
		domain.properties["RegionalCertificateArn"] = certificate
	} else {
		domain.properties["CertificateArn"] = certificate
	}
	if !private {
		config["ApiDomainName"] = domain.id
		r.mutualTLS(domain, config["MutualTlsAuthentication"])
	}
	for _, member := range []string{"SecurityPolicy", "EndpointAccessMode", "Policy", "OwnershipVerificationCertificateArn"} {
		if truthy(config[member]) {
			domain.properties[member] = config[member]
		}
	}
	made := append([]*resource{domain}, r.basePaths(config, domain, private)...)
	if access := config["AccessAssociation"]; private && access != nil {
		endpoint := r.expectMap(access, r.id, "Domain.AccessAssociation")["VpcEndpointId"]
		link := r.source.make(hashed("DomainNameAccessAssociation", []any{endpoint, domain.id}), "AWS::ApiGateway::DomainNameAccessAssociation")
		link.properties = object{
			"DomainNameArn": ref(domain.id), "AccessAssociationSourceType": "VPCE", "AccessAssociationSource": endpoint,
		}
		made = append(made, link)
	}
	if records := r.records(r.source, config, domain.id, true); records != nil {
		made = append(made, records)
	}
	return made
}

func (r *restMaker) mutualTLS(domain *resource, value any) {
	if !truthy(value) {
		return
	}
	config := r.expectMap(value, r.id, "Domain.MutualTlsAuthentication")
	made := object{}
	for name, value := range config {
		if name != "TruststoreUri" && name != "TruststoreVersion" {
			r.fail("Available Domain.MutualTlsAuthentication fields are ['TruststoreUri', 'TruststoreVersion'].")
			return
		}
		if truthy(value) {
			made[name] = value
		}
	}
	domain.properties["MutualTlsAuthentication"] = made
}

func (r *restMaker) basePaths(config object, domain *resource, private bool) []*resource {
	kind, property := "AWS::ApiGateway::BasePathMapping", "DomainName"
	if private {
		kind, property = "AWS::ApiGateway::BasePathMappingV2", "DomainNameArn"
	}
	mapping := func(id string) *resource {
		m := r.source.make(id, kind)
		m.properties = object{property: ref(domain.id), "RestApiId": ref(r.id), "Stage": ref(r.id + ".Stage")}
		return m
	}
	var paths []any
	switch v := config["BasePath"].(type) {
	case string:
		if v != "" {
			paths = []any{v}
		}
	case []any:
		paths = v
	}
	if len(paths) == 0 {
		return []*resource{mapping(r.id + "BasePathMapping")}
	}
	normalize, given := config["NormalizeBasePath"]
	var made []*resource
	for i, item := range paths {
		path, ok := item.(string)
		if !ok {
			r.fail("Property 'Domain.BasePath[%d]' should be a string.", i)
			return nil
		}
		plain := strings.Map(func(c rune) rune {
			if unicode.IsLetter(c) || unicode.IsDigit(c) {
				return c
			}
			return -1
		}, path)
		m := mapping(r.id + plain + "BasePathMapping")
		m.properties["BasePath"] = path
		if !given || truthy(normalize) {
			m.properties["BasePath"] = plain
		}
		made = append(made, m)
	}
	return made
}

// records makes the records of a custom domain; domains of the same zone share a group.
func (t *translator) records(s *source, config object, domainID string, rest bool) *resource {
	if config["Route53"] == nil {
		return nil
	}
	route := t.expectMap(config["Route53"], s.id, "Domain.Route53")
	zone, zoneName := route["HostedZoneId"], route["HostedZoneName"]
	if zone == nil && zoneName == nil {
		t.problems.resource(s.id, "HostedZoneId or HostedZoneName is required to enable Route53 support on Custom Domains.")
		return nil
	}
	by := zone
	if !truthy(by) {
		by = zoneName
	}
	group := func(id string) *resource {
		made := s.make(id, "AWS::Route53::RecordSetGroup")
		copyTo(made.properties, route, "HostedZoneId", "HostedZoneName")
		if !rest && zone != nil {
			delete(made.properties, "HostedZoneName")
		}
		made.properties["RecordSets"] = []any{}
		return made
	}
	target := object{}
	copyTo(target, route, "EvaluateTargetHealth")
	switch config["EndpointConfiguration"] {
	case "REGIONAL":
		target["HostedZoneId"] = getAtt(domainID, "RegionalHostedZoneId")
		target["DNSName"] = getAtt(domainID, "RegionalDomainName")
	case "EDGE":
		if route["DistributionDomainName"] == nil {
			route["DistributionDomainName"] = getAtt(domainID, "DistributionDomainName")
		}
		// The zone of all distributions of CloudFront.
		target["HostedZoneId"] = "Z2FDTNDATAQYW2"
		target["DNSName"] = route["DistributionDomainName"]
	default:
		target["HostedZoneId"] = route["VpcEndpointHostedZoneId"]
		target["DNSName"] = route["VpcEndpointDomainName"]
	}
	var sets []any
	kinds := []string{"A"}
	if isTrue(route["IpV6"]) {
		kinds = append(kinds, "AAAA")
	}
	for _, kind := range kinds {
		set := object{"Name": config["DomainName"], "Type": kind, "AliasTarget": copied(target)}
		copyTo(set, route, "Region", "SetIdentifier")
		sets = append(sets, set)
	}
	if separate := route["SeparateRecordSetGroup"]; rest && truthy(separate) {
		if _, ok := separate.(bool); !ok {
			t.problems.resource(s.id, "Property 'Domain.Route53.SeparateRecordSetGroup' should be a boolean.")
		}
		made := group(hashed("RecordSetGroup", []any{by, config["DomainName"]}))
		made.properties["RecordSets"] = sets
		return made
	}
	id := hashed("RecordSetGroup", by)
	made := t.recordSets[id]
	if made == nil {
		made = group(id)
		t.recordSets[id] = made
	}
	made.properties["RecordSets"] = append(slices.Clone(made.properties["RecordSets"].([]any)), sets...)
	return made
}

var (
	invalidBasePath = regexp.MustCompile(`[^0-9a-zA-Z/\-_]+`)
	separators      = regexp.MustCompile(`[\-_/]+`)
)

// domainV2 makes the custom domain of an HTTP or WebSocket API. tag is the tag that says that SAM made it.
func (t *translator) domainV2(s *source, config object, tag string) []*resource {
	fail := func(text string) []*resource {
		t.problems.resource(s.id, "%s", text)
		return nil
	}
	name, certificate := config["DomainName"], config["CertificateArn"]
	if name == nil || certificate == nil {
		return fail("Custom Domains only works if both DomainName and CertificateArn are provided.")
	}
	endpoint := config["EndpointConfiguration"]
	if endpoint == nil {
		endpoint = "REGIONAL"
		config["EndpointConfiguration"] = endpoint
	}
	if endpoint != "REGIONAL" {
		return fail("EndpointConfiguration for Custom Domains must be one of ['REGIONAL'].")
	}
	domain := s.make(hashed("ApiGatewayDomainNameV2", name), "AWS::ApiGatewayV2::DomainName")
	settings := object{"CertificateArn": certificate, "EndpointType": endpoint}
	for _, member := range []string{"OwnershipVerificationCertificateArn", "SecurityPolicy"} {
		if truthy(config[member]) {
			settings[member] = config[member]
		}
	}
	domain.properties = object{
		"DomainName": name, "Tags": object{tag: "SAM"}, "DomainNameConfigurations": []any{settings},
	}
	if tls := config["MutualTlsAuthentication"]; truthy(tls) {
		m, ok := tls.(object)
		made := object{}
		for member, value := range m {
			ok = ok && (member == "TruststoreUri" || member == "TruststoreVersion")
			if truthy(value) {
				made[member] = value
			}
		}
		if !ok {
			return fail("MutualTlsAuthentication must be a map with at least one of the following fields ['TruststoreUri', 'TruststoreVersion'].")
		}
		domain.properties["MutualTlsAuthentication"] = made
	}
	made := []*resource{domain}
	mapping := func(id string) *resource {
		m := s.make(id+"ApiMapping", "AWS::ApiGatewayV2::ApiMapping")
		m.properties = object{"DomainName": ref(domain.id), "ApiId": ref(s.id), "Stage": ref(s.id + ".Stage")}
		made = append(made, m)
		return m
	}
	var paths []any
	switch v := config["BasePath"].(type) {
	case string:
		if v != "" {
			paths = []any{v}
		}
	case []any:
		paths = v
	}
	if len(paths) == 0 {
		mapping(s.id)
	}
	for _, item := range paths {
		path, ok := item.(string)
		if !ok {
			return fail("Basepath must be a string.")
		}
		if invalidBasePath.MatchString(path) {
			return fail("Invalid Basepath name provided.")
		}
		mapping(s.id + separators.ReplaceAllString(path, "")).properties["ApiMappingKey"] = strings.Trim(path, "/")
	}
	if records := t.records(s, config, domain.id, false); records != nil {
		made = append(made, records)
	}
	return made
}
