package apigatewayv1

import (
	"context"
	"errors"

	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// An Account is what holds for all APIs.
// https://docs.aws.amazon.com/apigateway/latest/api/API_Account.html
type Account struct {
	ApiKeyVersion string `json:"apiKeyVersion"`
	// CloudwatchRoleArn is kept, as the roles of functions are: there are no roles here, and
	// what it would be for, logs of stages, is refused.
	CloudwatchRoleArn string   `json:"cloudwatchRoleArn,omitempty"`
	Features          []string `json:"features"`
	ThrottleSettings  struct{} `json:"throttleSettings"` // there are none
}

const (
	ownerAccount = "account"
	docAccount   = "apigateway"
)

func accountOf(set *document.Set) (*Account, error) {
	a := &Account{ApiKeyVersion: "4", Features: []string{"UsagePlans"}}
	err := set.Get(docAccount, a)
	if errors.Is(err, document.ErrNotFound) {
		err = nil
	}
	return a, err
}

func (s *service) getAccount(ctx context.Context, _ *struct{}) (*Account, error) {
	set, err := s.Store.Read(ctx, ownerAccount)
	if err != nil {
		return nil, err
	}
	return accountOf(set)
}

func (s *service) updateAccount(ctx context.Context, in *patches) (a *Account, err error) {
	err = s.Store.Change(ctx, ownerAccount, func(e *document.Edit) (err error) {
		if a, err = accountOf(&e.Set); err != nil {
			return err
		}
		can := fields{exact: map[string]field{"/cloudwatchRoleArn": text(&a.CloudwatchRoleArn), "/features": off("features", "UsagePlans", "there are no others")}}
		if err := can.apply(in.PatchOperations); err != nil {
			return err
		}
		return e.Put(docAccount, a)
	})
	return a, err
}
