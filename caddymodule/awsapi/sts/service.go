// Package sts answers the part of AWS Security Token Service that tools ask before all else:
// whose an access key is. There are no temporary credentials here, so nothing makes any.
//
// An access key is a user of the account, whose name is the key's ID.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html
package sts

import (
	"context"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/warmpool/function"
)

// maxBody is far more than a call takes, in bytes.
const maxBody = 64 << 10

type service struct{ account function.Account }

// New makes the service for the keys of an account.
func New(account function.Account) *awsapi.Service {
	s := &service{account}
	return &awsapi.Service{
		Model: newModel(),
		Operations: map[string]awsapi.Operation{
			"GetCallerIdentity": s.getCallerIdentity,
			"GetAccessKeyInfo":  awsapi.Answer(s.getAccessKeyInfo),
		},
		Unsupported: func(string) string { return "this server makes no temporary credentials; use an access key" },
		Exception:   func(error) *awsapi.Exception { return nil },
		Invalid:     "ValidationError",
		MaxBody:     maxBody,
	}
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
	return &identity{UserID: r.Key.ID, Account: s.account.ID, ARN: "arn:aws:iam::" + s.account.ID + ":user/" + r.Key.ID}, nil
}

type accessKeyInput struct{ AccessKeyId string }

type accessKeyOutput struct{ Account string }

// getAccessKeyInfo answers for any key, as all that are here are of one account.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetAccessKeyInfo.html
func (s *service) getAccessKeyInfo(context.Context, *accessKeyInput) (*accessKeyOutput, error) {
	return &accessKeyOutput{s.account.ID}, nil
}
