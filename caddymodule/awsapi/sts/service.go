// Package sts answers AWS Security Token Service: whose an access key is, and temporary
// credentials. Those of a role may do what its policies say (package access), those of an access
// key what it may; what would make them less is refused.
//
// An access key is a user of the account, whose name is the key's ID.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html
package sts

import (
	"cmp"
	"context"
	"fmt"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/access"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/warmpool/function"
)

// maxBody is far more than a call takes, in bytes.
const maxBody = 64 << 10

// Config of the service.
type Config struct {
	Account  function.Account
	Sessions *sigv4.Verifier // makes the credentials that it verifies
	// Role finds a role by its ARN, nil if there is none.
	Role func(ctx context.Context, arn string) (*access.Grant, error)
	// Access says whether a caller may assume a role.
	Access *access.Authority
}

type service struct{ Config }

// New makes the service.
func New(c Config) *awsapi.Service {
	s := &service{c}
	return &awsapi.Service{
		Model: newModel(),
		Operations: map[string]awsapi.Operation{
			"GetCallerIdentity": s.getCallerIdentity,
			"GetAccessKeyInfo":  awsapi.Answer(s.getAccessKeyInfo),
			"AssumeRole":        s.assumeRole,
			"GetSessionToken":   s.getSessionToken,
		},
		Unsupported: func(string) string {
			return "this server makes temporary credentials for those who have an access key, by AssumeRole and GetSessionToken"
		},
		Exception: func(error) *awsapi.Exception { return nil },
		Invalid:   "ValidationError",
		MaxBody:   maxBody,
	}
}

func invalid(format string, args ...any) error {
	return &awsapi.Exception{Name: "ValidationError", Message: fmt.Sprintf(format, args...)}
}

func denied(format string, args ...any) error {
	return &awsapi.Exception{Name: "AccessDenied", Status: 403, Message: fmt.Sprintf(format, args...)}
}

type identity struct {
	UserID  string `json:"UserId"`
	Account string
	ARN     string `json:"Arn"`
}

// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
func (s *service) getCallerIdentity(r *awsapi.Request) (any, error) {
	if err := r.Read(nil); err != nil {
		return nil, err
	}
	id := cmp.Or(r.Key.Parent, r.Key.ID)
	if role := r.Key.Role; role != nil {
		id = role.ID + ":" + role.Session
	}
	return &identity{UserID: id, Account: s.Account.ID, ARN: r.Key.ARN(s.Account.ID)}, nil
}

type accessKeyInput struct{ AccessKeyId string }

type accessKeyOutput struct{ Account string }

// getAccessKeyInfo answers for any key, as all that are here are of one account.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetAccessKeyInfo.html
func (s *service) getAccessKeyInfo(context.Context, *accessKeyInput) (*accessKeyOutput, error) {
	return &accessKeyOutput{s.Account.ID}, nil
}
