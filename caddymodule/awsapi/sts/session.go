package sts

import (
	"cmp"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
)

type credentials struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      time.Time
}

func show(s *sigv4.Session) credentials {
	return credentials{s.Key.ID, s.Key.Secret, s.Token, s.Expires}
}

type assumeInput struct {
	RoleArn, RoleSessionName string
	DurationSeconds          int
	ExternalId               string // of a condition of the trust policy

	Policy, SerialNumber, TokenCode, SourceIdentity string
	PolicyArns, Tags, ProvidedContexts              []any
	TransitiveTagKeys                               []string
}

// check refuses what nothing acts on.
func (in *assumeInput) check() error {
	for _, member := range []struct {
		name  string
		given bool
	}{
		{"Policy", in.Policy != ""}, {"PolicyArns", len(in.PolicyArns) > 0}, {"Tags", len(in.Tags) > 0},
		{"TransitiveTagKeys", len(in.TransitiveTagKeys) > 0}, {"SourceIdentity", in.SourceIdentity != ""},
		{"ProvidedContexts", len(in.ProvidedContexts) > 0},
	} {
		if member.given {
			return invalid("%s is not supported: sessions have no policies or tags here", member.name)
		}
	}
	return checkDevice(in.SerialNumber, in.TokenCode)
}

func checkDevice(serial, code string) error {
	if serial != "" || code != "" {
		return invalid("SerialNumber and TokenCode are not supported: there are no MFA devices here")
	}
	return nil
}

type assumedRole struct {
	AssumedRoleID string `json:"AssumedRoleId"`
	ARN           string `json:"Arn"`
}

type assumeOutput struct {
	Credentials     credentials
	AssumedRoleUser assumedRole
}

// How long a session is: the default, and the most of one that another session makes.
const (
	defaultLife = time.Hour
	maxChained  = time.Hour
)

// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func (s *service) assumeRole(r *awsapi.Request) (any, error) {
	var in assumeInput
	if err := r.Read(&in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	grant, err := s.Role(r.Context(), in.RoleArn)
	if err != nil {
		return nil, err
	}
	life := cmp.Or(time.Duration(in.DurationSeconds)*time.Second, defaultLife)
	if grant == nil {
		return nil, denied("User: %s is not authorized to perform: sts:AssumeRole on resource: %s because there is no such role", r.Key.ARN(s.Account.ID), in.RoleArn)
	}
	if err := s.Access.Assume(r.Context(), r.Key, r.Request, grant, in.ExternalId, in.RoleSessionName); err != nil {
		return nil, err
	}
	name, id := grant.Name, grant.ID
	switch {
	case r.Key.Role != nil && life > maxChained:
		return nil, invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	case life > grant.Longest:
		return nil, invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	session, err := s.Sessions.NewSession(r.Key, &sigv4.Role{Name: name, ID: id, Session: in.RoleSessionName}, life)
	if err != nil {
		return nil, err
	}
	return &assumeOutput{show(session), assumedRole{id + ":" + in.RoleSessionName, session.Key.ARN(s.Account.ID)}}, nil
}

type tokenInput struct {
	DurationSeconds         int
	SerialNumber, TokenCode string
}

type tokenOutput struct{ Credentials credentials }

// tokenLife is AWS's default for a session of an access key. Its model bounds what can be asked
// for, 36 hours.
const tokenLife = 12 * time.Hour

// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html
func (s *service) getSessionToken(r *awsapi.Request) (any, error) {
	var in tokenInput
	if err := r.Read(&in); err != nil {
		return nil, err
	}
	if err := checkDevice(in.SerialNumber, in.TokenCode); err != nil {
		return nil, err
	}
	if r.Key.Parent != "" || r.Key.Role != nil {
		return nil, denied("Cannot call GetSessionToken with session credentials")
	}
	session, err := s.Sessions.NewSession(r.Key, nil, cmp.Or(time.Duration(in.DurationSeconds)*time.Second, tokenLife))
	if err != nil {
		return nil, err
	}
	return &tokenOutput{show(session)}, nil
}
