package transform

import (
	"slices"
	"strconv"
	"strings"
)

// implicitAPI makes the API for events that name none: ServerlessRestApi for events of type Api, and ServerlessHttpApi.
type implicitAPI struct {
	t    *translator
	rest bool
	// conditions are those of the functions, by API, path and method; empty for none.
	conditions map[string]map[string]map[string]string
	// policies are the deletion and the update replace policies of functions, by API.
	deletions, replacements map[string][]string
}

func (a *implicitAPI) id() string {
	if a.rest {
		return "ServerlessRestApi"
	}
	return "ServerlessHttpApi"
}

func (a *implicitAPI) event() string {
	if a.rest {
		return "Api"
	}
	return "HttpApi"
}

func (a *implicitAPI) kind() string {
	if a.rest {
		return typeAPI
	}
	return typeHTTPAPI
}

func (a *implicitAPI) property() string {
	if a.rest {
		return "RestApiId"
	}
	return "ApiId"
}

// addDefinitions gives APIs without a definition an empty one.
func (t *translator) addDefinitions() {
	for _, id := range sorted(t.resources) {
		body := mapOf(t.resources[id])
		kind := body["Type"]
		properties := mapOf(body["Properties"])
		if kind != typeAPI && kind != typeHTTPAPI || truthy(properties["DefinitionBody"]) || truthy(properties["DefinitionUri"]) {
			continue
		}
		properties["DefinitionBody"] = skeleton(kind == typeAPI)
		properties[managed] = true
	}
}

func skeleton(rest bool) object {
	document := object{"info": object{"version": "1.0", "title": ref("AWS::StackName")}, "paths": object{}}
	if rest {
		document["swagger"] = "2.0"
	} else {
		document["openapi"] = "3.0.1"
	}
	return document
}

func (a *implicitAPI) add() {
	a.conditions = map[string]map[string]map[string]string{}
	a.deletions, a.replacements = map[string][]string{}, map[string][]string{}
	existing, had := a.t.resources[a.id()]
	properties := object{"DefinitionBody": skeleton(a.rest), managed: true}
	if a.rest {
		properties["StageName"] = "Prod"
	}
	implicit := object{"Type": a.kind(), "Properties": properties}
	a.t.resources[a.id()] = implicit

	for _, id := range sorted(a.t.resources) {
		body := mapOf(a.t.resources[id])
		if body["Type"] != typeFunction {
			continue
		}
		events := mapOf(mapOf(body["Properties"])["Events"])
		for _, event := range sorted(events) {
			if mapOf(events[event])["Type"] == a.event() {
				a.addEvent(id, body, event, mapOf(events[event]))
			}
		}
	}
	a.addCondition(implicit)
	if policy := strongest(a.deletions[a.id()], "Retain", "Delete"); policy != "" {
		implicit["DeletionPolicy"] = policy
	}
	if policy := strongest(a.replacements[a.id()], "Retain", "Snapshot", "Delete"); policy != "" {
		implicit["UpdateReplacePolicy"] = policy
	}
	a.addPathConditions()
	if len(mapOf(mapOf(properties["DefinitionBody"])["paths"])) == 0 {
		delete(a.t.resources, a.id())
		if had {
			a.t.resources[a.id()] = existing
		}
	}
}

// strongest returns the first of order that is among policies.
func strongest(policies []string, order ...string) string {
	for _, policy := range order {
		if slices.Contains(policies, policy) {
			return policy
		}
	}
	return ""
}

func (a *implicitAPI) addEvent(function string, body object, id string, event object) {
	properties, ok := event["Properties"].(object)
	if !truthy(event["Properties"]) {
		if a.rest {
			return
		}
		properties, ok = object{}, true
		event["Properties"] = properties
	}
	if !ok {
		a.t.event(function, id, "Properties should be a map.")
		return
	}
	a.addTags(properties, body)
	if _, has := properties[a.property()]; !has {
		properties[a.property()] = ref(a.id())
	}
	if !a.rest && !truthy(properties["Path"]) && !truthy(properties["Method"]) {
		properties["Path"], properties["Method"] = "$default", anyMethod
	}
	api := properties[a.property()]
	if named, ok := mapOf(api)["Ref"]; ok {
		api = named
	}
	for _, name := range []string{"Path", "Method"} {
		if properties[name] == nil {
			a.t.event(function, id, "Property '%s' is required.", name)
			return
		}
	}
	for _, part := range []struct {
		name  string
		value any
	}{{a.property(), api}, {"Path", properties["Path"]}, {"Method", properties["Method"]}} {
		if _, ok := part.value.(string); !ok {
			a.t.event(function, id, "Property '%s' should be a string.", part.name)
			return
		}
	}
	apiID, path, method := api.(string), properties["Path"].(string), properties["Method"].(string)
	if a.conditions[apiID] == nil {
		a.conditions[apiID] = map[string]map[string]string{}
	}
	if a.conditions[apiID][path] == nil {
		a.conditions[apiID][path] = map[string]string{}
	}
	a.conditions[apiID][path][method] = textOf(body["Condition"])
	a.deletions[apiID] = append(a.deletions[apiID], textOf(body["DeletionPolicy"]))
	a.replacements[apiID] = append(a.replacements[apiID], textOf(body["UpdateReplacePolicy"]))
	a.addPath(function, id, apiID, path, method)
	if _, has := properties["RouteSettings"]; has && !a.rest {
		a.addRouteSettings(function, id, apiID, properties, textOf(body["Condition"]))
	}
}

// addTags gives the implicit API the tags of a function that propagates them.
func (a *implicitAPI) addTags(event, function object) {
	if _, named := event[a.property()]; named {
		return
	}
	shared := mapOf(mapOf(a.t.document["Globals"])["Function"])
	own := mapOf(function["Properties"])
	pick := func(name string) any {
		if truthy(own[name]) {
			return own[name]
		}
		return shared[name]
	}
	if !truthy(pick("Tags")) || !truthy(pick("PropagateTags")) {
		return
	}
	properties := mapOf(mapOf(a.t.resources[a.id()])["Properties"])
	tags, _ := properties["Tags"].(object)
	if tags == nil {
		tags = object{}
		properties["Tags"] = tags
	}
	for key, value := range mapOf(pick("Tags")) {
		tags[key] = value
	}
	properties["PropagateTags"] = true
}

func (a *implicitAPI) addPath(function, id, api, path, method string) {
	target := mapOf(a.t.resources[api])
	if target["Type"] != a.kind() && (target == nil || target["Type"] == typeHTTPAPI) {
		a.t.event(function, id, "%s must be a valid reference to an '%s' resource in same template.", a.property(), a.kind())
		return
	}
	properties := mapOf(target["Properties"])
	if !truthy(properties[managed]) || !isDefinition(properties["DefinitionBody"], a.rest) {
		return
	}
	e := editor{t: a.t, rest: a.rest, document: mapOf(properties["DefinitionBody"])}
	e.addPath(path, method)
}

func (a *implicitAPI) addRouteSettings(function, id, api string, event object, condition string) {
	properties := mapOf(mapOf(a.t.resources[api])["Properties"])
	settings, ok := event["RouteSettings"].(object)
	if !ok {
		a.t.event(function, id, "Property 'RouteSettings' should be a map.")
		return
	}
	if condition != "" {
		settings = conditional(condition, settings)
	}
	all, ok := properties["RouteSettings"].(object)
	if !ok {
		if properties["RouteSettings"] != nil {
			a.t.problems.resource(api, "Property 'RouteSettings' should be a map.")
		}
		all = object{}
	}
	path, method := textOf(event["Path"]), textOf(event["Method"])
	route := strings.ToUpper(method) + " " + path
	if method == anyMethod {
		route = path
	}
	merged, _ := all[route].(object)
	if merged == nil {
		merged = object{}
	}
	for key, value := range settings {
		merged[key] = value
	}
	all[route] = merged
	properties["RouteSettings"] = all
}

// combined returns the conditions of all methods, nil when one has none.
func combined(methods ...map[string]string) []string {
	var all []string
	for _, conditions := range methods {
		for _, condition := range conditions {
			if condition == "" {
				return nil
			}
			if !slices.Contains(all, condition) {
				all = append(all, condition)
			}
		}
	}
	slices.Sort(all)
	return all
}

// addCondition makes the implicit API depend on the conditions of its functions, when all have one.
func (a *implicitAPI) addCondition(implicit object) {
	var methods []map[string]string
	for _, path := range a.conditions[a.id()] {
		methods = append(methods, path)
	}
	switch conditions := combined(methods...); len(conditions) {
	case 0:
	case 1:
		implicit["Condition"] = conditions[0]
	default:
		name := a.id() + "Condition"
		implicit["Condition"] = name
		a.t.combineConditions(conditions, name)
	}
}

func (a *implicitAPI) addPathConditions() {
	for _, id := range sorted(a.t.resources) {
		body := mapOf(a.t.resources[id])
		properties := mapOf(body["Properties"])
		if body["Type"] != a.kind() || !truthy(properties[managed]) {
			continue
		}
		paths := mapOf(mapOf(properties["DefinitionBody"])["paths"])
		for _, path := range sorted(paths) {
			switch conditions := combined(a.conditions[id][path]); len(conditions) {
			case 0:
			case 1:
				paths[path] = conditional(conditions[0], paths[path])
			default:
				name := id + strings.NewReplacer("/", "SLASH", "{", "OB", "}", "CB").Replace(path) + "PathCondition"
				a.t.combineConditions(conditions, name)
				paths[path] = conditional(name, paths[path])
			}
		}
	}
}

// combineConditions adds a condition that holds when one of conditions does: Fn::Or takes ten at most.
func (t *translator) combineConditions(conditions []string, name string) {
	section, _ := t.document["Conditions"].(object)
	if section == nil {
		section = object{}
		t.document["Conditions"] = section
	}
	const most = 10
	extra := (len(conditions) - 2) / (most - 1)
	for len(conditions) > 1 {
		combined := name
		if extra > 0 {
			combined += strconv.Itoa(extra)
			extra--
		}
		section[combined] = anyOf(conditions[:min(most, len(conditions))])
		conditions = append(slices.Clone(conditions[min(most, len(conditions)):]), combined)
	}
}

func anyOf(conditions []string) object {
	list := []any{}
	for _, condition := range conditions {
		list = append(list, object{"Condition": condition})
	}
	return object{"Fn::Or": list}
}
