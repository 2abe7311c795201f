package transform

import "slices"

// sharedUsagePlan is the usage plan of all APIs that ask for CreateUsagePlan: SHARED.
type sharedUsagePlan struct {
	stages, keys, dependsOn []any
	conditions              []string
	// unconditional says that an API without a condition shares the plan.
	unconditional         bool
	deletion, replacement string
}

const sharedPlanCondition = "SharedUsagePlanCondition"

var usagePlanMembers = []string{"CreateUsagePlan", "Description", "Quota", "Tags", "Throttle", "UsagePlanName"}

// usagePlans makes the usage plan of the API and its key.
func (r *restMaker) usagePlans(auth object, stage *resource) {
	if auth["UsagePlan"] == nil {
		return
	}
	config, ok := auth["UsagePlan"].(object)
	if !ok {
		r.fail("'UsagePlan' must be a dictionary")
		return
	}
	for name := range config {
		if !slices.Contains(usagePlanMembers, name) {
			r.fail("Invalid property for 'UsagePlan'")
			return
		}
	}
	plan := r.source.make(r.id+"UsagePlan", "AWS::ApiGateway::UsagePlan")
	key := r.source.make(r.id+"ApiKey", "AWS::ApiGateway::ApiKey")
	link := r.source.make(r.id+"UsagePlanKey", "AWS::ApiGateway::UsagePlanKey")
	stages := []any{object{"ApiId": ref(r.id), "Stage": ref(stage.id)}}
	keys := []any{object{"RestApiId": ref(r.id), "StageName": ref(stage.id)}}
	plan.dependsOn = []any{r.id}
	switch config["CreateUsagePlan"] {
	case nil:
		r.fail("'CreateUsagePlan' is a required field for UsagePlan.")
		return
	case "NONE":
		return
	case "PER_API":
	case "SHARED":
		shared := &r.usagePlan
		plan.id, key.id, link.id = "ServerlessUsagePlan", "ServerlessApiKey", "ServerlessUsagePlanKey"
		attributes := r.shareAttributes()
		plan.attributes, key.attributes, link.attributes = attributes, attributes, attributes
		for _, list := range []struct {
			into  *[]any
			value any
		}{{&shared.dependsOn, r.id}, {&shared.stages, stages[0]}, {&shared.keys, keys[0]}} {
			if !has(*list.into, list.value) {
				*list.into = append(*list.into, list.value)
			}
		}
		plan.dependsOn = slices.Clone(shared.dependsOn)
		stages, keys = slices.Clone(shared.stages), slices.Clone(shared.keys)
	default:
		r.fail("'CreateUsagePlan' accepts one of ['SHARED', 'PER_API', 'NONE'].")
		return
	}
	plan.properties["ApiStages"] = stages
	for _, name := range []string{"UsagePlanName", "Description", "Quota", "Tags", "Throttle"} {
		if truthy(config[name]) {
			plan.properties[name] = config[name]
		}
	}
	key.dependsOn = []any{plan.id}
	key.properties = object{"Enabled": true, "StageKeys": keys}
	link.dependsOn = []any{key.id}
	link.properties = object{"KeyId": ref(key.id), "KeyType": "API_KEY", "UsagePlanId": ref(plan.id)}
	r.made = append(r.made, plan, key, link)
}

// shareAttributes returns the attributes of what APIs share: the safest policies, and a condition when all have one.
func (r *restMaker) shareAttributes() object {
	shared := &r.usagePlan
	if policy := textOf(r.shared["DeletionPolicy"]); policy != "" && (shared.deletion == "" || policy == "Retain") {
		shared.deletion = policy
	}
	if policy := textOf(r.shared["UpdateReplacePolicy"]); policy != "" {
		if shared.replacement == "" || policy == "Retain" || policy == "Snapshot" && shared.replacement == "Delete" {
			shared.replacement = policy
		}
	}
	condition := textOf(r.shared["Condition"])
	switch {
	case shared.unconditional:
	case condition == "":
		shared.unconditional = true
		delete(r.conditions, sharedPlanCondition)
	case !slices.Contains(shared.conditions, condition):
		shared.conditions = append(shared.conditions, condition)
		if len(shared.conditions) > 1 {
			r.addCondition(sharedPlanCondition, anyOf(shared.conditions))
		} else {
			r.addCondition(sharedPlanCondition, object{"Condition": condition})
		}
	}
	attributes := object{}
	if shared.deletion != "" {
		attributes["DeletionPolicy"] = shared.deletion
	}
	if shared.replacement != "" {
		attributes["UpdateReplacePolicy"] = shared.replacement
	}
	if len(shared.conditions) > 0 && !shared.unconditional {
		attributes["Condition"] = sharedPlanCondition
	}
	return attributes
}
