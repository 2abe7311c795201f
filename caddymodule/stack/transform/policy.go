package transform

import (
	"regexp"
	"slices"
	"strings"
)

// addResourcePolicy adds the statements that Auth.ResourcePolicy asks for, for the methods of one path.
func (e *editor) addResourcePolicy(policy object, path string, stage any) {
	resources := e.resourcesOf(path, stage)
	for _, part := range []struct{ name, effect string }{{"AwsAccountWhitelist", "Allow"}, {"AwsAccountBlacklist", "Deny"}} {
		if accounts := policy[part.name]; accounts != nil {
			e.allowAccounts(accounts, part.effect, resources)
		}
	}
	for _, part := range []struct{ name, condition string }{{"IpRangeWhitelist", "NotIpAddress"}, {"IpRangeBlacklist", "IpAddress"}} {
		ranges := policy[part.name]
		if !truthy(ranges) {
			continue
		}
		if _, ok := ranges.([]any); !ok {
			ranges = []any{ranges}
		}
		e.denyExcept(object{part.condition: object{"aws:SourceIp": ranges}}, resources)
	}
	for _, part := range []struct{ list, condition string }{{"Blacklist", "StringEquals"}, {"Whitelist", "StringNotEquals"}} {
		networks := object{}
		add := func(key string, items any) {
			if list, ok := items.([]any); ok && len(list) > 0 {
				existing, _ := networks[key].([]any)
				networks[key] = append(existing, list...)
			}
		}
		plain, _ := policy["SourceVpc"+part.list].([]any)
		for _, item := range plain {
			text, ok := item.(string)
			if !ok {
				e.t.problems.document("SourceVpc%s must be a list of strings. Use IntrinsicVpc%s instead for values that use Intrinsic Functions", part.list, part.list)
				return
			}
			if strings.HasPrefix(text, "vpce-") {
				add("aws:SourceVpce", []any{text})
			} else if strings.HasPrefix(text, "vpc-") {
				add("aws:SourceVpc", []any{text})
			}
		}
		add("aws:SourceVpc", policy["IntrinsicVpc"+part.list])
		add("aws:SourceVpce", policy["IntrinsicVpce"+part.list])
		if len(networks) > 0 {
			e.denyExcept(object{part.condition: networks}, resources)
		}
	}
	e.section(policyKey)
}

func (e *editor) allowAccounts(accounts any, effect string, resources []any) {
	switch accounts.(type) {
	case []any:
	case object:
		accounts = []any{accounts}
	default:
		e.t.problems.document("Type of '%s' must be a list or dictionary", shown(accounts))
		return
	}
	if !truthy(accounts) {
		return
	}
	statement := object{
		"Effect": effect, "Action": "execute-api:Invoke", "Resource": resources, "Principal": object{"AWS": accounts},
	}
	policy := e.section(policyKey)
	policy["Version"] = "2012-10-17"
	if policy["Statement"] == nil {
		policy["Statement"] = statement
		return
	}
	policy["Statement"] = append(slices.Clone(statements(policy)), statement)
}

func statements(policy object) []any {
	switch v := policy["Statement"].(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

// denyExcept allows all and denies what the condition says.
func (e *editor) denyExcept(condition object, resources []any) {
	allow := object{"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": resources, "Principal": "*"}
	deny := object{
		"Effect": "Deny", "Action": "execute-api:Invoke", "Resource": resources, "Principal": "*", "Condition": condition,
	}
	policy := e.section(policyKey)
	policy["Version"] = "2012-10-17"
	list := slices.Clone(statements(policy))
	for _, statement := range []any{allow, deny} {
		if !has(list, statement) {
			list = append(list, statement)
		}
	}
	policy["Statement"] = list
}

func (e *editor) addStatements(custom any) {
	policy := e.section(policyKey)
	policy["Version"] = "2012-10-17"
	if policy["Statement"] == nil {
		policy["Statement"] = custom
		return
	}
	added, ok := custom.([]any)
	if !ok {
		added = []any{custom}
	}
	list := slices.Clone(statements(policy))
	for _, statement := range added {
		if !has(list, statement) {
			list = append(list, statement)
		}
	}
	policy["Statement"] = list
}

var pathVariable = regexp.MustCompile(`\{([a-zA-Z0-9._-]+\+?)\}`)

// starred replaces the variables of a path by asterisks. A variable that takes the rest stays in paths of HTTP
// APIs, save {proxy+}.
func starred(path string, rest bool) string {
	return pathVariable.ReplaceAllStringFunc(path, func(found string) string {
		if !rest && strings.HasSuffix(found, "+}") && found != "{proxy+}" {
			return found
		}
		return "*"
	})
}

func (e *editor) resourcesOf(path string, stage any) []any {
	resources := []any{}
	for _, value := range branches(e.paths()[path]) {
		for _, name := range sorted(e.pathItem(value, path)) {
			verb := strings.ToUpper(name)
			if lower := strings.ToLower(name); lower == anyMethod || lower == "any" {
				verb = "*"
			}
			resources = append(resources, sub("execute-api:/${__Stage__}/"+verb+starred(path, true), object{"__Stage__": stage}))
		}
	}
	return resources
}
