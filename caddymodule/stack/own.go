package stack

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
)

// Types of CloudFormation itself, and what says something to tools alone.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_CloudFormation.html
func ownTypes() map[string]*Type {
	return map[string]*Type{
		"AWS::CDK::Metadata": {
			Name: "AWS::CDK::Metadata", create: nothing, update: nothing, remove: nothing, plan: generated,
		},
		stackType:                             nested(),
		"AWS::CloudFormation::CustomResource": customResource(),
		"AWS::CloudFormation::WaitConditionHandle": {
			Name: "AWS::CloudFormation::WaitConditionHandle", check: only(),
			create: func(ctx context.Context, w *Work) (err error) {
				w.ID, err = w.engine.expect(ctx, w, maxWait)
				return err
			},
			update: nothing, remove: nothing,
		},
		waitConditionType: waitCondition(),
	}
}

// settle waits until a stack is not worked on any more.
func (e *Engine) settle(ctx context.Context, id string) (*Stack, error) {
	for {
		s, err := e.Stack(ctx, id)
		if err != nil || !s.Busy() {
			return s, err
		}
		e.start(id) // what another node, or a crash, has left
		e.Await(ctx, id, time.Second)
		if ctx.Err() != nil {
			return s, ctx.Err()
		}
	}
}

// nested is AWS::CloudFormation::Stack.
func nested() *Type {
	request := func(ctx context.Context, w *Work) (*Request, error) {
		in := &Request{
			ID: w.ID, Name: nameOf(w.ID), Capabilities: append([]string{autoExpand, "CAPABILITY_NAMED_IAM"}, w.stack.Capabilities...), By: w.stack.Operation.By.actor(), RoleARN: w.stack.RoleARN, ExceptOnCreate: w.stack.Operation.ExceptOnCreate,
			Parent: w.stack.ID, Root: w.stack.Root, Given: Given{Values: make(map[string]string)}, OnFailure: "DO_NOTHING",
		}
		if in.Root == "" {
			in.Root = w.stack.ID
		}
		parameters, _ := w.New["Parameters"].(map[string]any)
		for name, v := range parameters {
			in.Values[name] = joined(v)
			if w.run.plan != nil && w.run.plan.Secret(v) {
				in.Hidden = append(in.Hidden, name)
			}
		}
		for _, one := range listOf(w.New["Tags"]) {
			if of, ok := one.(map[string]any); ok {
				in.Tags = append(in.Tags, Tag{text(of["Key"]), text(of["Value"])})
			}
		}
		if minutes, given := w.New["TimeoutInMinutes"]; given {
			n, err := whole(minutes)
			if err != nil {
				return nil, err
			}
			in.TimeoutMin = int(n)
		}
		var err error
		in.Body, err = w.engine.Fetch(ctx, in.By, w.text("TemplateURL"))
		return in, err
	}
	finish := func(ctx context.Context, w *Work, status, what string) error {
		s, err := w.engine.settle(ctx, w.ID)
		if err != nil {
			return err
		}
		if s.Status != status {
			return sentence("Embedded stack %s was not successfully %s: %s", s.ID, what, s.Reason)
		}
		w.Attributes = make(map[string]any)
		for _, o := range s.Outputs {
			w.Attributes["Outputs."+o.OutputKey] = o.OutputValue
		}
		return nil
	}
	return &Type{
		Name: stackType, tags: tagList, required: []string{"TemplateURL"},
		check: func(_ *Engine, properties map[string]any) error {
			if _, given := properties["NotificationARNs"]; given {
				return errors.New("property NotificationARNs is not supported: events of stacks are not sent to topics")
			}
			return only("TemplateURL", "Parameters", "Tags", "TimeoutInMinutes")(nil, properties)
		},
		plan: func(w *Work) string { return w.engine.arn(w.generate(128), newUUID()) },
		create: func(ctx context.Context, w *Work) error {
			in, err := request(ctx, w)
			if err != nil {
				return err
			}
			if _, err := w.engine.Create(ctx, in); err != nil {
				return plain(err)
			}
			return finish(ctx, w, Created, "created")
		},
		update: func(ctx context.Context, w *Work) error {
			in, err := request(ctx, w)
			if err != nil {
				return err
			}
			if _, err := w.engine.settle(ctx, w.ID); err != nil { // it may go on after a crash
				return err
			}
			in.Name, in.OnFailure = w.ID, "ROLLBACK"
			_, err = w.engine.Update(ctx, in)
			if err == nil {
				return finish(ctx, w, Updated, "updated")
			}
			if !strings.Contains(err.Error(), "No updates are to be performed") {
				return plain(err)
			}
			s, err := w.engine.Stack(ctx, w.ID) // it is as it should be
			if err != nil {
				return err
			}
			return finish(ctx, w, s.Status, "updated")
		},
		remove: func(ctx context.Context, w *Work) error {
			if _, err := w.engine.settle(ctx, w.ID); err != nil {
				var x *awsapi.Exception
				if errors.As(err, &x) {
					return nil // it is not there
				}
				return err
			}
			if _, err := w.engine.Delete(ctx, w.ID, "", w.stack.RoleARN, nil, w.stack.Operation.By.actor()); err != nil {
				return plain(err)
			}
			s, err := w.engine.settle(ctx, w.ID)
			if err == nil && s.Status != Deleted {
				err = sentence("Embedded stack %s was not successfully deleted: %s", s.ID, s.Reason)
			}
			return err
		},
	}
}

// plain is the text of an exception without its name.
func plain(err error) error {
	var x *awsapi.Exception
	if errors.As(err, &x) {
		return wording(x.Message)
	}
	return err
}

// joined is a value of a parameter: lists have commas.
func joined(v any) string {
	if list, ok := v.([]any); ok {
		parts := make([]string, len(list))
		for n, one := range list {
			parts[n] = text(one)
		}
		return strings.Join(parts, ",")
	}
	return text(v)
}

// waitConditionType is the type that waits for signals.
const waitConditionType = "AWS::CloudFormation::WaitCondition"

func waitCondition() *Type {
	return &Type{
		Name: waitConditionType, check: only("Count", "Handle", "Timeout"), plan: generated,
		create: func(ctx context.Context, w *Work) error {
			count, most := int64(1), int64(maxWait/time.Second)
			for name, into := range map[string]*int64{"Count": &count, "Timeout": &most} {
				if v, given := w.New[name]; given {
					n, err := whole(v)
					if err != nil {
						return err
					}
					*into = n
				}
			}
			if w.text("Handle") == "" {
				return sentence("Handle is required: CreationPolicy is not supported")
			}
			data, err := w.engine.signals(ctx, w.text("Handle"), int(count), time.Duration(min(most, int64(maxWait/time.Second)))*time.Second)
			if err != nil {
				return err
			}
			w.Attributes["Data"], err = jsonText(map[string]any(data))
			return err
		},
		remove: nothing,
	}
}

// stringly makes the scalars of properties texts, as custom resources get them.
func stringly(v any) any {
	switch v := v.(type) {
	case map[string]any:
		to := make(map[string]any, len(v))
		for name, inner := range v {
			to[name] = stringly(inner)
		}
		return to
	case []any:
		to := make([]any, len(v))
		for n, inner := range v {
			to[n] = stringly(inner)
		}
		return to
	case nil:
		return nil
	}
	return text(v)
}

// customResource is AWS::CloudFormation::CustomResource, and Custom::*: a function makes it.
func customResource() *Type {
	ask := func(kind string) func(ctx context.Context, w *Work) error {
		return func(ctx context.Context, w *Work) error { return w.custom(ctx, kind) }
	}
	return &Type{
		Name: "AWS::CloudFormation::CustomResource", required: []string{"ServiceToken"}, plan: generated,
		check: func(_ *Engine, properties map[string]any) error {
			if token := text(properties["ServiceToken"]); strings.HasPrefix(token, "arn:aws:sns:") {
				return sentence("ServiceToken is a topic: custom resources are made by functions here")
			}
			return nil
		},
		create: ask("Create"), update: ask("Update"),
		remove: func(ctx context.Context, w *Work) error {
			err := w.custom(ctx, "Delete")
			if isNotFound(err) { // its function is gone: nobody can remove it any more
				return nil
			}
			return err
		},
	}
}

// custom has a function do something with a custom resource, and waits for its answer.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
func (w *Work) custom(ctx context.Context, kind string) error {
	properties := w.New
	if kind == "Delete" {
		properties = w.Old
	}
	if token := text(properties["ServiceToken"]); ofOsls.MatchString(token) {
		return w.osls(ctx, kind, token)
	}
	most := maxAnswerTime
	if v, given := properties["ServiceTimeout"]; given {
		seconds, err := whole(v)
		if err != nil || seconds < 1 || seconds > int64(maxAnswerTime/time.Second) {
			return sentence("ServiceTimeout is 1 to 3600 seconds")
		}
		most = time.Duration(seconds) * time.Second
	}
	address, err := w.engine.expect(ctx, w, most)
	if err != nil {
		return err
	}
	request := map[string]any{
		"RequestType": kind, "ResponseURL": address, "StackId": w.stack.ID, "RequestId": newUUID(), "ResourceType": w.Type,
		"LogicalResourceId": w.LogicalID, "ResourceProperties": stringly(properties), "ServiceToken": properties["ServiceToken"],
	}
	if kind != "Create" {
		request["PhysicalResourceId"] = w.ID
	}
	if kind == "Update" {
		request["OldResourceProperties"] = stringly(w.Old)
	}
	payload, err := jsonText(request)
	if err != nil {
		return err
	}
	if _, err := w.call(ctx, "lambda", "Invoke", map[string]any{
		"FunctionName": properties["ServiceToken"], "InvocationType": "Event", "Payload": payload,
	}); err != nil {
		return err
	}
	answer, err := w.engine.answered(ctx, address, most)
	if err != nil {
		return err
	}
	if answer.Status != "SUCCESS" {
		return sentence("Received response status [%s] from custom resource. Message returned: %s", answer.Status, answer.Reason)
	}
	if answer.PhysicalResourceID != "" {
		w.ID = answer.PhysicalResourceID
	}
	w.Attributes = make(map[string]any)
	data, _ := answer.Data.(map[string]any)
	if answer.NoEcho {
		w.Secrets = stringsOf(data, nil)
	}
	maps.Copy(w.Attributes, data)
	return nil
}

// stringsOf adds all texts of a value.
func stringsOf(v any, all []string) []string {
	switch v := v.(type) {
	case string:
		all = append(all, v)
	case []any:
		for _, inner := range v {
			all = stringsOf(inner, all)
		}
	case map[string]any:
		for _, inner := range v {
			all = stringsOf(inner, all)
		}
	}
	return all
}
