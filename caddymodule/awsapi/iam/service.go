package iam

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/state"
)

// Config of the service.
type Config struct {
	Store   *document.Store
	Roles   *Roles // are told of what changes; nil: nobody evaluates policies
	Account function.Account
	Now     func() time.Time // default time.Now
}

type service struct {
	Config
	// turn has one place: the changes of this node come one after the other. Those of other
	// nodes come between, and are noticed.
	turn chan struct{}
}

func newIAM(c Config) *service { return &service{c, make(chan struct{}, 1)} }

// maxBody is a policy of AWS's limit, escaped, with room for all else, in bytes.
const maxBody = 512 << 10

// New makes the service.
func New(c Config) *awsapi.Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	s := newIAM(c)
	return &awsapi.Service{
		Model: newModel(), Operations: s.operations(), Unsupported: unsupported, Exception: exceptionOf, Invalid: "ValidationError", MaxBody: maxBody,
	}
}

func (s *service) operations() map[string]awsapi.Operation {
	return map[string]awsapi.Operation{
		"CreateRole":             awsapi.Answer(s.createRole),
		"GetRole":                awsapi.Answer(s.getRole),
		"ListRoles":              awsapi.Answer(s.listRoles),
		"UpdateRole":             awsapi.Answer(s.updateRole),
		"UpdateRoleDescription":  awsapi.Answer(s.updateRoleDescription),
		"UpdateAssumeRolePolicy": awsapi.Answer(s.updateAssumeRolePolicy),
		"DeleteRole":             awsapi.Answer(s.deleteRole),
		"TagRole":                awsapi.Answer(s.tagRole),
		"UntagRole":              awsapi.Answer(s.untagRole),
		"ListRoleTags":           awsapi.Answer(s.listRoleTags),

		"PutRolePermissionsBoundary":    awsapi.Answer(s.putBoundary),
		"DeleteRolePermissionsBoundary": awsapi.Answer(s.deleteBoundary),

		"PutRolePolicy":    awsapi.Answer(s.putRolePolicy),
		"GetRolePolicy":    awsapi.Answer(s.getRolePolicy),
		"ListRolePolicies": awsapi.Answer(s.listRolePolicies),
		"DeleteRolePolicy": awsapi.Answer(s.deleteRolePolicy),

		"AttachRolePolicy":         awsapi.Answer(s.attachRolePolicy),
		"DetachRolePolicy":         awsapi.Answer(s.detachRolePolicy),
		"ListAttachedRolePolicies": awsapi.Answer(s.listAttachedRolePolicies),

		"CreatePolicy":          awsapi.Answer(s.createPolicy),
		"GetPolicy":             awsapi.Answer(s.getPolicy),
		"ListPolicies":          awsapi.Answer(s.listPolicies),
		"ListEntitiesForPolicy": awsapi.Answer(s.listEntities),
		"DeletePolicy":          awsapi.Answer(s.deletePolicy),
		"TagPolicy":             awsapi.Answer(s.tagPolicy),
		"UntagPolicy":           awsapi.Answer(s.untagPolicy),
		"ListPolicyTags":        awsapi.Answer(s.listPolicyTags),

		"CreatePolicyVersion":     awsapi.Answer(s.createVersion),
		"GetPolicyVersion":        awsapi.Answer(s.getVersion),
		"ListPolicyVersions":      awsapi.Answer(s.listVersions),
		"DeletePolicyVersion":     awsapi.Answer(s.deleteVersion),
		"SetDefaultPolicyVersion": awsapi.Answer(s.setDefaultVersion),

		"CreateInstanceProfile":         awsapi.Answer(s.createProfile),
		"GetInstanceProfile":            awsapi.Answer(s.getProfile),
		"AddRoleToInstanceProfile":      awsapi.Answer(s.addRole),
		"RemoveRoleFromInstanceProfile": awsapi.Answer(s.removeRole),
		"DeleteInstanceProfile":         awsapi.Answer(s.deleteProfile),
		"ListInstanceProfiles":          awsapi.Answer(s.listProfiles),
		"ListInstanceProfilesForRole":   awsapi.Answer(s.listProfilesOf),
		"TagInstanceProfile":            awsapi.Answer(s.tagProfile),
		"UntagInstanceProfile":          awsapi.Answer(s.untagProfile),
		"ListInstanceProfileTags":       awsapi.Answer(s.listProfileTags),

		"ListAccountAliases": awsapi.Answer(s.listAccountAliases),
		"GetUser":            s.getUser,
	}
}

// unsupported says why an operation is not answered.
func unsupported(operation string) string {
	for _, reason := range []struct{ part, text string }{
		{"ServiceLinkedRole", "there are no services here that need a role of their own"},
		{"User", "the access keys are in the configuration and in the file credentials"},
		{"AccessKey", "the access keys are in the configuration and in the file credentials"},
		{"Group", "there are no users here, so there are no groups of them"},
		{"Simulate", "policies are evaluated for calls alone"},
	} {
		if strings.Contains(operation, reason.part) {
			return reason.text
		}
	}
	return "this server keeps roles and managed policies"
}

// The errors are in AWS's words.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html#API_CreateRole_Errors

func missing(format string, args ...any) error {
	return &awsapi.Exception{Name: "NoSuchEntity", Message: fmt.Sprintf(format, args...)}
}

func exists(format string, args ...any) error {
	return &awsapi.Exception{Name: "EntityAlreadyExists", Message: fmt.Sprintf(format, args...)}
}

func inUse(message string) error {
	return &awsapi.Exception{Name: "DeleteConflict", Message: message}
}

func exceeded(format string, args ...any) error {
	return &awsapi.Exception{Name: "LimitExceeded", Message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error {
	return &awsapi.Exception{Name: "ValidationError", Message: fmt.Sprintf(format, args...)}
}

func exceptionOf(err error) *awsapi.Exception {
	switch {
	case errors.Is(err, document.ErrTooLarge):
		return &awsapi.Exception{Name: "LimitExceeded", Message: "It is larger than this server keeps: " + err.Error()}
	case errors.Is(err, state.ErrConflict):
		return &awsapi.Exception{Name: "ConcurrentModification", Message: "The request was rejected because multiple requests to change this object were submitted simultaneously. Wait a few minutes and submit your request again."}
	}
	return nil
}

// Owner and names of documents.
const (
	owner     = "iam"
	docRole   = "role/"
	docPolicy = "policy/"
)

// Quotas of an account.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const (
	maxRoles    = 5000 // AWS has 1,000, and so many for who asks
	maxPolicies = 1500
)

func (s *service) read(ctx context.Context) (*document.Set, error) { return s.Store.Read(ctx, owner) }

func (s *service) change(ctx context.Context, decide func(e *document.Edit) error) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.turn }()
	err := s.Store.Change(ctx, owner, decide)
	if s.Roles != nil {
		s.Roles.changed()
	}
	return err
}

func (s *service) arn(path string) string { return "arn:aws:iam::" + s.Account.ID + ":" + path }

// now is to the second, as AWS has it.
func (s *service) now() time.Time { return s.Now().UTC().Truncate(time.Second) }

// newID is an identifier of AWS's form: its kind, AROA for a role, and 17 letters and digits.
func newID(kind string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	b := make([]byte, 17)
	_, _ = rand.Read(b) // never fails: it ends the program instead
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return kind + string(b)
}

// defaultPage is how many things a page has if the client does not say.
const defaultPage = 100

// paging is how lists are asked for.
type paging struct {
	Marker   string
	MaxItems int
}

// paged is what a page says of the next one.
type paged struct {
	IsTruncated bool
	Marker      string `json:",omitempty"`
}

// pageOf cuts a page of items, which are in the order of their keys.
func pageOf[T any](items []T, key func(T) string, in paging) ([]T, paged) {
	if in.MaxItems == 0 {
		in.MaxItems = defaultPage
	}
	page, next := awsapi.Page(items, key, in.Marker, in.MaxItems)
	return page, paged{next != "", next}
}

// cut is pageOf for short lists, whose keys are too long or too strange for a marker: it is a
// place in the list.
func cut[T any](items []T, in paging) ([]T, paged, error) {
	at := 0
	if in.Marker != "" {
		var err error
		if at, err = strconv.Atoi(in.Marker); err != nil || at < 0 {
			return nil, paged{}, invalid("Invalid Marker: %.64s", in.Marker)
		}
	}
	if in.MaxItems == 0 {
		in.MaxItems = defaultPage
	}
	end := min(at+in.MaxItems, len(items))
	if at = min(at, len(items)); end == len(items) {
		return items[at:], paged{}, nil
	}
	return items[at:end], paged{true, strconv.Itoa(end)}, nil
}

type user struct {
	Path, UserName string
	UserID         string `json:"UserId"`
	ARN            string `json:"Arn"`
}

type userInput struct{ UserName string }

type userOutput struct{ User user }

// getUser tells of the user whose access key signs; there are no others that one could ask for.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUser.html
func (s *service) getUser(r *awsapi.Request) (any, error) {
	var in userInput
	if err := r.Read(&in); err != nil {
		return nil, err
	}
	if in.UserName != "" && in.UserName != r.Key.ID {
		return nil, missing("The user with name %s cannot be found.", in.UserName)
	}
	return &userOutput{user{"/", r.Key.ID, r.Key.ID, s.arn("user/" + r.Key.ID)}}, nil
}

type aliasesOutput struct {
	AccountAliases []string
	paged
}

// listAccountAliases says that the account has no other name.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccountAliases.html
func (s *service) listAccountAliases(context.Context, *paging) (*aliasesOutput, error) {
	return &aliasesOutput{}, nil
}
