package access

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/hearthfn/hearth/warmpool/function"
)

// An Input is what an operation is asked for, as far as it names resources.
type Input struct {
	JSON map[string]any    // the body
	Form url.Values        // of the query protocol
	Path map[string]string // the labels of the path
	HTTP *http.Request
}

// text is a member, "" if it is not there.
func (in *Input) text(name string) string {
	if v := in.Path[name]; v != "" {
		return v
	}
	if in.Form != nil {
		return in.Form.Get(name)
	}
	v, _ := in.JSON[name].(string)
	return v
}

// texts are the texts of a list.
func (in *Input) texts(name string) (all []string) {
	list, _ := in.JSON[name].([]any)
	for _, one := range list {
		if v, ok := one.(string); ok {
			all = append(all, v)
		}
	}
	return all
}

// Needs are the actions and resources of an operation of a service that has no package of its
// own for that. An operation that is not known needs its name on "*": policies with other
// resources do not allow it.
func (a *Authority) Needs(ctx context.Context, service, operation string, in *Input) ([]Need, error) {
	one := func(resources ...string) []Need {
		return []Need{{Action: service + ":" + operation, Resources: resources}}
	}
	switch service {
	case "logs":
		return one(a.logs(operation, in)...), nil
	case "sts":
		if operation == "GetCallerIdentity" || operation == "AssumeRole" { // package sts asks itself
			return nil, nil
		}
	case "iam":
		return a.iam(ctx, operation, in)
	case "ssm":
		return a.ssm(operation, in), nil
	case "events":
		return a.events(operation, in), nil
	case "scheduler":
		return a.scheduler(operation, in), nil
	case "apigateway":
		return []Need{{Action: "apigateway:" + in.HTTP.Method, Resources: []string{"arn:aws:apigateway:" + a.Account.Region + "::" + in.HTTP.URL.EscapedPath()}}}, nil
	case "cloudformation":
		if name := in.text("StackName"); name != "" && !strings.HasPrefix(name, "arn:") {
			return one(a.arn(service, "stack/"+name+"/*")), nil
		} else if name != "" {
			return one(name), nil
		}
	case "sqs", "sns", "dynamodb", "kinesis":
		return a.data(service, operation, in), nil
	}
	return one(), nil
}

func (a *Authority) arn(service, resource string) string {
	return "arn:aws:" + service + ":" + a.Account.Region + ":" + a.Account.ID + ":" + resource
}

func (a *Authority) logs(operation string, in *Input) []string {
	name := in.text("logGroupName")
	if name == "" {
		name = cmp.Or(in.text("logGroupIdentifier"), in.text("resourceArn"))
		_, after, found := strings.Cut(name, ":log-group:")
		if found {
			name = strings.TrimSuffix(after, ":*")
		}
	}
	if name == "" {
		return nil
	}
	group := a.arn("logs", "log-group:"+name)
	if stream := in.text("logStreamName"); stream != "" {
		return []string{group + ":log-stream:" + stream}
	}
	return []string{group + ":*", group}
}

// iam finds the ARN of a role, whose path calls do not say.
func (a *Authority) iam(ctx context.Context, operation string, in *Input) ([]Need, error) {
	need := Need{Action: "iam:" + operation, Context: make(map[string][]string)}
	account := "arn:aws:iam::" + a.Account.ID + ":"
	arn := in.text("PolicyArn")
	switch name := in.text("RoleName"); {
	case name != "":
		need.Resources = []string{account + "role" + cmp.Or(in.text("Path"), "/") + name}
		if operation != "CreateRole" {
			if g, err := a.Roles.Grant(ctx, name); err != nil {
				return nil, err
			} else if g != nil {
				need.Resources = []string{g.ARN}
			}
		}
		if arn != "" {
			need.Context["iam:policyarn"] = []string{arn}
		}
		if b := in.text("PermissionsBoundary"); b != "" {
			need.Context["iam:permissionsboundary"] = []string{b}
		}
	case arn != "":
		need.Resources = []string{arn}
	case in.text("PolicyName") != "":
		need.Resources = []string{account + "policy" + cmp.Or(in.text("Path"), "/") + in.text("PolicyName")}
	}
	return []Need{need}, nil
}

func (a *Authority) ssm(operation string, in *Input) (needs []Need) {
	names := in.texts("Names")
	for _, member := range []string{"Name", "Path"} {
		if v := in.text(member); v != "" {
			names = append(names, v)
		}
	}
	if in.text("ResourceType") == "Parameter" {
		names = append(names, in.text("ResourceId"))
	}
	for _, name := range names {
		if !strings.HasPrefix(name, "arn:") {
			// A version or a label comes behind a colon.
			name, _, _ = strings.Cut(name, ":")
			name = a.arn("ssm", "parameter/"+strings.TrimPrefix(name, "/"))
		}
		needs = append(needs, Need{Action: "ssm:" + operation, Resources: []string{name}})
	}
	if needs == nil {
		needs = []Need{{Action: "ssm:" + operation}}
	}
	return needs
}

func (a *Authority) events(operation string, in *Input) (needs []Need) {
	bus := func(name string) string {
		if name = cmp.Or(name, "default"); strings.HasPrefix(name, "arn:") {
			return name
		}
		return a.arn("events", "event-bus/"+name)
	}
	action := "events:" + operation
	if operation == "PutEvents" {
		entries, _ := in.JSON["Entries"].([]any)
		seen := make(map[string]bool)
		for _, one := range entries {
			entry, _ := one.(map[string]any)
			name, _ := entry["EventBusName"].(string)
			if to := bus(name); !seen[to] {
				seen[to] = true
				needs = append(needs, Need{Action: action, Resources: []string{to}})
			}
		}
		return needs
	}
	rule := in.text("Rule")
	if strings.HasSuffix(operation, "Rule") {
		rule = cmp.Or(rule, in.text("Name"))
	}
	on := in.text("EventBusName")
	switch {
	case rule != "" && (on == "" || on == "default"):
		return []Need{{Action: action, Resources: []string{a.arn("events", "rule/"+rule)}}}
	case rule != "":
		return []Need{{Action: action, Resources: []string{a.arn("events", "rule/"+on[strings.LastIndexByte(on, '/')+1:]+"/"+rule)}}}
	case strings.HasSuffix(operation, "EventBus"):
		return []Need{{Action: action, Resources: []string{bus(in.text("Name"))}}}
	case in.text("ResourceARN") != "":
		return []Need{{Action: action, Resources: []string{in.text("ResourceARN")}}}
	}
	return []Need{{Action: action}}
}

func (a *Authority) scheduler(operation string, in *Input) []Need {
	need := Need{Action: "scheduler:" + operation}
	switch name := in.text("Name"); {
	case name != "" && strings.HasSuffix(operation, "ScheduleGroup"):
		need.Resources = []string{a.arn("scheduler", "schedule-group/"+name)}
	case name != "":
		group := in.text("GroupName")
		if in.HTTP != nil && group == "" {
			group = in.HTTP.URL.Query().Get("groupName")
		}
		need.Resources = []string{a.arn("scheduler", "schedule/"+cmp.Or(group, "default")+"/"+name)}
	case in.text("ResourceArn") != "":
		need.Resources = []string{in.text("ResourceArn")}
	}
	needs := []Need{need}
	if target, ok := in.JSON["Target"].(map[string]any); ok {
		if role, ok := target["RoleArn"].(string); ok {
			needs = append(needs, Pass(role, "scheduler.amazonaws.com"))
		}
	}
	return needs
}

// Lambda are the needs of an operation of Lambda.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
func (a *Authority) Lambda(operation string, in *Input) []Need {
	action := operation
	switch {
	case strings.HasPrefix(operation, "Invoke"):
		action = "InvokeFunction"
	case operation == "GetLayerVersionByArn":
		action = "GetLayerVersion"
	}
	need := Need{Action: "lambda:" + action}
	name := cmp.Or(in.text("FunctionName"), in.text("Resource"), in.text("ResourceArn"))
	layer := in.text("LayerName")
	switch {
	case strings.Contains(operation, "EventSourceMapping"):
		if id := in.text("UUID"); id != "" {
			need.Resources = []string{a.arn("lambda", "event-source-mapping:"+id)}
		}
		if arn := a.function(name, ""); arn != "" {
			need.Context = map[string][]string{"lambda:functionarn": {arn}}
		}
	case layer != "":
		need.Resources = []string{a.arn("lambda", "layer:"+layer)}
		if v := in.text("VersionNumber"); v != "" {
			need.Resources = []string{a.arn("lambda", "layer:"+layer+":"+v)}
		}
	case name != "":
		qualifier := ""
		if in.HTTP != nil && action == "InvokeFunction" {
			qualifier = in.HTTP.URL.Query().Get("Qualifier")
		}
		if arn := a.function(name, qualifier); arn != "" {
			need.Resources = []string{arn}
		}
	}
	needs := []Need{need}
	if role := in.text("Role"); role != "" && (operation == "CreateFunction" || operation == "UpdateFunctionConfiguration") {
		needs = append(needs, Pass(role, "lambda.amazonaws.com"))
	}
	return needs
}

// function is the ARN of a function by its name, its ARN or a part of it.
func (a *Authority) function(name, qualifier string) string {
	if strings.Contains(name, ":layer:") || strings.Contains(name, ":event-source-mapping:") || strings.Contains(name, ":code-signing-config:") {
		return name
	}
	if v, err := url.PathUnescape(name); err == nil {
		name = v
	}
	parsed, own, err := a.Account.Parse(name)
	if err != nil {
		return ""
	}
	if own == "" {
		own = qualifier
	}
	arn := a.arn("lambda", "function:"+parsed)
	if own != "" && own != function.Latest || qualifier == function.Latest {
		arn += ":" + cmp.Or(own, qualifier)
	}
	return arn
}
