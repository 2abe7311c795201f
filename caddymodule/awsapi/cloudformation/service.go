package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/stack"
	"github.com/hearthfn/hearth/caddymodule/stack/template"
	"github.com/hearthfn/hearth/warmpool/state"
)

// Config of the service.
type Config struct {
	Engine *stack.Engine
}

type service struct{ Config }

// maxBody is two templates of AWS's limit, escaped, in bytes.
const maxBody = 4 << 20

// New makes the service.
func New(c Config) *awsapi.Service {
	s := &service{c}
	return &awsapi.Service{
		Model: newModel(), Operations: s.operations(), Unsupported: unsupported, Exception: exceptionOf, Invalid: "ValidationError", MaxBody: maxBody,
	}
}

func (s *service) operations() map[string]awsapi.Operation {
	return map[string]awsapi.Operation{
		"CreateStack": by(s.createStack),
		"UpdateStack": by(s.updateStack),
		"DeleteStack": by(s.deleteStack),

		"DescribeStacks":         awsapi.Answer(s.describeStacks),
		"ListStacks":             awsapi.Answer(s.listStacks),
		"DescribeStackEvents":    awsapi.Answer(s.describeEvents),
		"DescribeStackResource":  awsapi.Answer(s.describeResource),
		"DescribeStackResources": awsapi.Answer(s.describeResources),
		"ListStackResources":     awsapi.Answer(s.listResources),

		"UpdateTerminationProtection": awsapi.Answer(s.protect),
		"SetStackPolicy":              by(s.setPolicy),
		"GetStackPolicy":              awsapi.Answer(s.getPolicy),
		"CancelUpdateStack":           awsapi.Answer(s.cancelUpdate),
		"ContinueUpdateRollback":      by(s.continueRollback),
		"RollbackStack":               by(s.rollbackStack),
		"SignalResource":              awsapi.Answer(s.signal),

		"CreateChangeSet":   by(s.createChangeSet),
		"DescribeChangeSet": awsapi.Answer(s.describeChangeSet),
		"ExecuteChangeSet":  by(s.executeChangeSet),
		"DeleteChangeSet":   awsapi.Answer(s.deleteChangeSet),
		"ListChangeSets":    awsapi.Answer(s.listChangeSets),

		"GetTemplate":        awsapi.Answer(s.getTemplate),
		"GetTemplateSummary": by(s.templateSummary),
		"ValidateTemplate":   by(s.validateTemplate),

		"ListExports": awsapi.Answer(s.listExports),
		"ListImports": awsapi.Answer(s.listImports),

		"DescribeAccountLimits": awsapi.Answer(s.accountLimits),
	}
}

// unsupported says why an operation is not answered.
func unsupported(operation string) string {
	for _, reason := range []struct{ part, text string }{
		{"StackSet", "there is one account here, so there are no stack sets"},
		{"StackInstance", "there is one account here, so there are no stack sets"},
		{"OrganizationsAccess", "there is one account here"},
		{"Drift", "resources are not compared with their stack"},
		{"StackRefactor", "resources do not move between stacks"},
		{"GeneratedTemplate", "no templates are made of resources"},
		{"ResourceScan", "no templates are made of resources"},
		{"Type", "the types of resources are part of this server"},
		{"Publisher", "the types of resources are part of this server"},
		{"Hook", "there are no hooks"},
		{"HandlerProgress", "the types of resources are part of this server"},
		{"Cost", "nothing here has a price"},
	} {
		if strings.Contains(operation, reason.part) {
			return reason.text
		}
	}
	return "this server does not have it yet"
}

func exceptionOf(err error) *awsapi.Exception {
	// Wherever in an operation it is found that a template is wrong, its author reads why.
	var wrong *template.Error
	if errors.As(err, &wrong) {
		return &awsapi.Exception{Name: "ValidationError", Message: wrong.Message}
	}
	if errors.Is(err, state.ErrConflict) {
		return &awsapi.Exception{Name: "OperationInProgressException", Message: "Another operation changes the stack at the same time.", Status: http.StatusConflict}
	}
	return nil
}

func invalid(format string, args ...any) error {
	return &awsapi.Exception{Name: "ValidationError", Message: fmt.Sprintf(format, args...)}
}

// by makes an operation of a function that is told who asks.
func by[In, Out any](run func(ctx context.Context, by stack.Identity, in *In) (Out, error)) awsapi.Operation {
	return func(r *awsapi.Request) (any, error) {
		in := new(In)
		if err := r.Read(in); err != nil {
			return nil, err
		}
		id := stack.Identity{KeyID: r.Key.ID, Parent: r.Key.Parent}
		if r.Key.Role != nil {
			id.Role = &stack.Role{Name: r.Key.Role.Name, ID: r.Key.Role.ID, Session: r.Key.Role.Session}
		}
		return run(r.Context(), id, in)
	}
}

// stamp writes a time as CloudFormation does; "" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// pageOf cuts a page of items. A token is a place in the list.
func pageOf[T any](items []T, token string, size int) ([]T, string, error) {
	at := 0
	if token != "" {
		var err error
		if at, err = strconv.Atoi(token); err != nil || at < 0 {
			return nil, "", invalid("Invalid NextToken: %.64s", token)
		}
	}
	at = min(at, len(items))
	end := min(at+size, len(items))
	if end == len(items) {
		return items[at:], "", nil
	}
	return items[at:end], strconv.Itoa(end), nil
}
