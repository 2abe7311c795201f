package engine_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv1"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/caddymodule/awsapi/cloudformation"
	"github.com/hearthfn/hearth/caddymodule/awsapi/cloudwatch"
	"github.com/hearthfn/hearth/caddymodule/awsapi/events"
	"github.com/hearthfn/hearth/caddymodule/awsapi/iam"
	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
	"github.com/hearthfn/hearth/caddymodule/awsapi/scheduler"
	"github.com/hearthfn/hearth/caddymodule/awsapi/ssm"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sts"
)

// changed are the records that operations of apigatewayv2 read the rest of their members into.
var changed = map[string]reflect.Type{
	"UpdateApi": reflect.TypeFor[apigatewayv2.API](), "UpdateAuthorizer": reflect.TypeFor[apigatewayv2.Authorizer](),
	"UpdateIntegration": reflect.TypeFor[apigatewayv2.Integration](), "UpdateRoute": reflect.TypeFor[apigatewayv2.Route](),
	"UpdateRouteResponse": reflect.TypeFor[apigatewayv2.RouteResponse](), "UpdateStage": reflect.TypeFor[apigatewayv2.Stage](),
}

// unneeded are members that mean nothing here, with the reason.
var unneeded = map[string]string{
	"cloudformation CreateChangeSet IncludeNestedStacks":                 "a nested stack is shown as a resource that changes, and the answer says that its change set is not there",
	"cloudformation CreateChangeSet ResourcesToImport.LogicalResourceId": importing, "cloudformation CreateChangeSet ResourcesToImport.ResourceIdentifier": importing,
	"sts GetAccessKeyInfo AccessKeyId":                oneAccount,
	"cloudwatch PutMetricData StrictEntityValidation": "entities are refused",
	"apigatewayv1 GetExport parameters":               ofQuery, "apigatewayv1 ImportRestApi parameters": ofQuery, "apigatewayv1 PutRestApi parameters": ofQuery,
	"apigatewayv1 GetTags limit": "50 tags are one page", "apigatewayv1 GetTags position": "50 tags are one page",
	"apigatewayv1 UntagResource tagKeys":        "read by package apigatewayv2",
	"apigatewayv1 ImportRestApi failOnWarnings": noWarnings, "apigatewayv1 PutRestApi failOnWarnings": noWarnings,
	"apigatewayv2 ImportApi FailOnWarnings": noWarnings, "apigatewayv2 ReimportApi FailOnWarnings": noWarnings,
	"events DeleteRule Force": "no rule is another service's", "events RemoveTargets Force": "no rule is another service's",
}

const (
	importing  = "the list is refused"
	oneAccount = "there is one account"
	ofQuery    = "read from the query"
	noWarnings = "what is not understood is refused"
)

func init() {
	for _, operation := range []string{"CreateDomainName", "UpdateDomainName"} {
		for _, member := range []string{"CertificateUploadDate", "DomainNameStatus", "DomainNameStatusMessage", "HostedZoneId"} {
			unneeded["apigatewayv2 "+operation+" DomainNameConfigurations."+member] = "it says how a domain name is, in answers"
		}
	}
}

// unread finds the members that a struct has no field for, and fields that no line of source uses.
func unread(shape *model.Shape, t reflect.Type, path string, used map[string]bool, found map[string]string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice && shape.Type == "list" {
		if t.Kind() == reflect.Slice {
			shape = shape.ElementOf()
		}
		t = t.Elem()
	}
	if shape.Type != "structure" || t.Kind() != reflect.Struct {
		return
	}
	for _, m := range shape.Members {
		name := strings.ToUpper(m.Name[:1]) + m.Name[1:]
		field, is := t.FieldByName(name)
		switch {
		case !is:
			found[path+m.Name] = "is taken and ignored"
		case path == "" && !used[name]:
			found[path+m.Name] = "is read, and nobody looks at it"
		default:
			unread(m.ShapeOf(), field.Type, path+m.Name+".", used, found)
		}
	}
}

// selected are the names of fields that the files of a folder use.
func selected(t *testing.T, folder string) map[string]bool {
	t.Helper()
	used := make(map[string]bool)
	files, err := filepath.Glob(filepath.Join("..", "awsapi", folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				used[s.Sel.Name] = true
			}
			return true
		})
	}
	return used
}

func TestNoMemberOfAnInputIsTakenAndIgnored(t *testing.T) {
	met := make(map[string]bool)
	for name, service := range map[string]*awsapi.Service{
		"cloudformation": cloudformation.New(cloudformation.Config{}), "iam": iam.New(iam.Config{}), "sts": sts.New(sts.Config{}),
		"ssm": ssm.New(ssm.Config{Key: make([]byte, 32)}), "events": events.New(events.Config{}), "scheduler": scheduler.New(scheduler.Config{}),
		"cloudwatch":   cloudwatch.New(cloudwatch.Config{}),
		"apigatewayv2": apigatewayv2.New(apigatewayv2.Config{}), "apigatewayv1": apigatewayv1.New(apigatewayv2.Config{}),
	} {
		used := selected(t, name)
		for _, operation := range slices.Sorted(maps.Keys(service.Operations)) {
			route, known := service.Model.Operation(operation)
			if !known {
				t.Errorf("%s has no operation %s", name, operation)
				continue
			}
			in := service.Operations[operation].Input()
			if in == nil {
				continue
			}
			found := make(map[string]string)
			unread(route.InputShape(), in, "", used, found)
			if record := changed[operation]; record != nil && name == "apigatewayv2" {
				rest := make(map[string]string)
				unread(route.InputShape(), record, "", used, rest)
				maps.DeleteFunc(found, func(member, _ string) bool { return rest[member] == "" })
			}
			for _, member := range slices.Sorted(maps.Keys(found)) {
				at := name + " " + operation + " " + member
				if unneeded[at] == "" {
					t.Errorf("%s %s", at, found[member])
				}
				met[at] = true
			}
		}
	}
	for at := range unneeded {
		if !met[at] {
			t.Errorf("%s is not ignored any more: strike it out", at)
		}
	}
}
