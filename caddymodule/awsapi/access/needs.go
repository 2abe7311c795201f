package access

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/hearthfn/hearth/warmpool/function"
)

// An Input is what an operation is asked for, as far as it names resources. It must have the members
// that the operation reads, as it reads them, and no others: one that the operation does not look
// at could name a resource that the caller may use.
type Input struct {
	JSON map[string]any
	Form url.Values // of the query protocol, if JSON is nil
	HTTP *http.Request
}

// text is a member, "" if it is not there.
func (in *Input) text(name string) string {
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
		return a.logs(operation, in), nil
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
	case "monitoring":
		return a.cloudwatch(operation, in), nil
	case "scheduler":
		return a.scheduler(operation, in), nil
	case "apigateway":
		return []Need{{Action: "apigateway:" + in.HTTP.Method, Resources: []string{"arn:aws:apigateway:" + a.Account.Region + "::" + encodedPath(in.HTTP.URL)}}}, nil
	case "cloudformation":
		return a.cloudformation(operation, in), nil
	case "sqs", "sns", "dynamodb", "kinesis":
		return a.data(service, operation, in), nil
	}
	return one(), nil
}

// encodedPath is a path as SDKs write it, however the client has: else a policy would not know it.
func encodedPath(u *url.URL) string {
	segments := strings.Split(strings.TrimSuffix(u.EscapedPath(), "/"), "/")
	for n, segment := range segments {
		if plain, err := url.PathUnescape(segment); err == nil {
			segments[n] = strings.ReplaceAll(url.QueryEscape(plain), "+", "%20")
		}
	}
	return cmp.Or(strings.Join(segments, "/"), "/")
}

func (a *Authority) arn(service, resource string) string {
	return "arn:aws:" + service + ":" + a.Account.Region + ":" + a.Account.ID + ":" + resource
}

// logs has a need for each group that a call names, whichever of its members names it, in capitals
// or not.
func (a *Authority) logs(operation string, in *Input) (needs []Need) {
	action := "logs:" + operation
	if operation == "DescribeLogGroups" { // it tells of all groups
		return []Need{{Action: action}}
	}
	in = in.small()
	names := append(in.texts("loggroupidentifiers"), in.texts("loggroupnames")...)
	for _, member := range []string{"loggroupname", "loggroupidentifier", "resourcearn"} {
		names = append(names, in.text(member))
	}
	for _, name := range names {
		name = strings.TrimSuffix(name, ":*") // as package logs reads it, which takes ARNs that end in : too
		if _, after, found := strings.Cut(name, ":log-group:"); found {
			name = strings.TrimSuffix(after, ":")
		}
		if name == "" {
			continue
		}
		group := a.arn("logs", "log-group:"+name)
		resources := []string{group + ":*", group}
		if stream := in.text("logstreamname"); stream != "" {
			resources = []string{group + ":log-stream:" + stream}
		}
		needs = append(needs, Need{Action: action, Resources: resources})
	}
	if needs == nil {
		needs = []Need{{Action: action}}
	}
	return needs
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
		// A version or a label comes behind a colon.
		if strings.HasPrefix(name, "arn:") {
			parts := strings.Split(name, ":")
			name = strings.Join(parts[:min(len(parts), 6)], ":")
		} else {
			name, _, _ = strings.Cut(name, ":")
			name = a.arn("ssm", "parameter/"+strings.TrimPrefix(name, "/"))
		}
		if operation == "GetParametersByPath" {
			name = strings.TrimSuffix(name, "/")
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

// cloudformation are the needs of calls about stacks. A stack acts as the role that it is given.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html
func (a *Authority) cloudformation(operation string, in *Input) []Need {
	need := Need{Action: "cloudformation:" + operation}
	switch name := in.text("StackName"); {
	case strings.HasPrefix(name, "arn:"):
		need.Resources = []string{name}
	case name != "":
		need.Resources = []string{a.arn("cloudformation", "stack/"+name+"/*")}
	}
	needs := []Need{need}
	if role := in.text("RoleARN"); role != "" {
		needs = append(needs, Pass(role, "cloudformation.amazonaws.com"))
	}
	return needs
}

// cloudwatch are the needs of calls of CloudWatch, whose actions are not named as its signatures.
func (a *Authority) cloudwatch(operation string, in *Input) (needs []Need) {
	action := "cloudwatch:" + operation
	names := in.texts("AlarmNames")
	if name := in.text("AlarmName"); name != "" {
		names = append(names, name)
	}
	for _, name := range names {
		needs = append(needs, Need{Action: action, Resources: []string{a.arn("cloudwatch", "alarm:"+name)}})
	}
	if arn := in.text("ResourceARN"); arn != "" {
		needs = append(needs, Need{Action: action, Resources: []string{arn}})
	}
	if needs == nil {
		needs = []Need{{Action: action}}
	}
	if space := in.text("Namespace"); space != "" && operation == "PutMetricData" {
		needs[0].Context = map[string][]string{"cloudwatch:namespace": {space}}
	}
	return needs
}

func (a *Authority) scheduler(operation string, in *Input) []Need {
	need := Need{Action: "scheduler:" + operation}
	switch name := in.text("Name"); {
	case name != "" && strings.HasSuffix(operation, "ScheduleGroup"):
		need.Resources = []string{a.arn("scheduler", "schedule-group/"+name)}
	case name != "":
		group := in.text("GroupName")
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
		if action == "InvokeFunction" {
			qualifier = in.text("Qualifier")
		}
		if arn := a.function(name, qualifier); arn != "" {
			need.Resources = []string{arn}
		}
	}
	needs := []Need{need}
	if role := in.text("Role"); role != "" && (operation == "CreateFunction" || operation == "UpdateFunctionConfiguration") {
		needs = append(needs, Pass(role, "lambda.amazonaws.com"))
	}
	return append(needs, in.content()...)
}

// content are the needs of the code and the layers that a function or a layer gets from elsewhere:
// who may make functions of them can read them.
func (in *Input) content() (needs []Need) {
	for _, of := range []any{in.JSON, in.JSON["Code"], in.JSON["Content"]} {
		code, _ := of.(map[string]any)
		bucket, _ := code["S3Bucket"].(string)
		key, _ := code["S3Key"].(string)
		if bucket != "" || key != "" {
			needs = append(needs, S3("GetObject", bucket, key)...)
		}
	}
	for _, layer := range in.texts("Layers") {
		needs = append(needs, Need{Action: "lambda:GetLayerVersion", Resources: []string{layer}})
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
