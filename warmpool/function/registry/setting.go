package registry

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/hearthfn/hearth/warmpool/function"
)

// URLConfig is a function URL.
// https://docs.aws.amazon.com/lambda/latest/api/API_FunctionUrlConfig.html
type URLConfig struct {
	ID           string // first label of the URL's host: another one for each URL made, never reused
	AuthType     string // NONE or AWS_IAM
	InvokeMode   string `json:",omitempty"` // BUFFERED or RESPONSE_STREAM
	Cors         *Cors  `json:",omitempty"`
	CreationTime time.Time
	LastModified time.Time
}

// Cors is what a function URL answers to browsers.
type Cors struct {
	AllowCredentials bool     `json:",omitempty"`
	AllowHeaders     []string `json:",omitempty"`
	AllowMethods     []string `json:",omitempty"`
	AllowOrigins     []string `json:",omitempty"`
	ExposeHeaders    []string `json:",omitempty"`
	MaxAge           int      `json:",omitempty"` // seconds
}

func (u *URLConfig) revise(_ string, now time.Time, first bool) {
	if first {
		u.CreationTime = now
	}
	u.LastModified = now
}

// InvokeConfig says how asynchronous invocations are retried and where their
// results go; nil stands for AWS's default.
// https://docs.aws.amazon.com/lambda/latest/api/API_FunctionEventInvokeConfig.html
type InvokeConfig struct {
	MaximumRetryAttempts     *int   `json:",omitempty"` // 0..2, default 2
	MaximumEventAgeInSeconds *int   `json:",omitempty"` // 60..21600, default 21600
	OnSuccess                string `json:",omitempty"` // ARN of the destination
	OnFailure                string `json:",omitempty"`
	LastModified             time.Time
}

func (c *InvokeConfig) revise(_ string, now time.Time, _ bool) { c.LastModified = now }

// Provisioned is how many environments are kept initialised.
// https://docs.aws.amazon.com/lambda/latest/api/API_PutProvisionedConcurrencyConfig.html
type Provisioned struct {
	Requested    int
	LastModified time.Time
}

func (p *Provisioned) revise(_ string, now time.Time, _ bool) { p.LastModified = now }

// Concurrency is how many invocations of all versions run at once at most.
// https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionConcurrency.html
type Concurrency struct {
	Reserved int
}

func (*Concurrency) revise(string, time.Time, bool) {}

// Tags of a function.
type Tags struct {
	Tags map[string]string
}

// QueueTimeoutTag is the tag that says how long calls of a function wait for an
// environment: a duration such as 500ms, or off.
const QueueTimeoutTag = "hearth:queue_timeout"

// QueueTimeout is what QueueTimeoutTag says, 0 if it is not there. The error is
// ErrInvalid.
func (t *Tags) QueueTimeout() (time.Duration, error) {
	text, there := t.Tags[QueueTimeoutTag]
	switch {
	case !there:
		return 0, nil
	case text == "off":
		return -1, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Millisecond || d > function.MaxTimeout {
		return 0, fmt.Errorf("tag %s %q: a duration of 1ms to %s, or off: %w", QueueTimeoutTag, text, function.MaxTimeout, ErrInvalid)
	}
	return d, nil
}

func (*Tags) revise(string, time.Time, bool) {}

// Values of Recursion.
const (
	LoopAllow     = "Allow"
	LoopTerminate = "Terminate"
)

// Recursion says what happens to recursive loops: LoopAllow or LoopTerminate.
type Recursion struct {
	RecursiveLoop string
}

func (*Recursion) revise(string, time.Time, bool) {}

// Management says when the runtime is updated.
// https://docs.aws.amazon.com/lambda/latest/api/API_PutRuntimeManagementConfig.html
type Management struct {
	UpdateRuntimeOn   string // Auto, FunctionUpdate or Manual
	RuntimeVersionARN string `json:",omitempty"`
}

func (*Management) revise(string, time.Time, bool) {}

// A Policy says which principals may invoke a function, version or alias, or use a layer
// version.
// https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
type Policy struct {
	RevisionID string
	Statements []Statement
}

// A Statement of a policy, as IAM writes it.
type Statement struct {
	Sid       string          `json:"Sid"`
	Effect    string          `json:"Effect"`
	Principal json.RawMessage `json:"Principal"`
	Action    string          `json:"Action"`
	Resource  string          `json:"Resource"`
	Condition json.RawMessage `json:"Condition,omitempty"`
}

func (p *Policy) revise(id string, _ time.Time, _ bool) { p.RevisionID = id }

// Check is ErrPrecondition if a revisionID is given and not the policy's.
func (p *Policy) Check(revisionID string) error {
	return checkRevision(revisionID, p.RevisionID, "policy")
}

// Add adds a statement; one with the same Sid is ErrConflict.
func (p *Policy) Add(s Statement) error {
	if slices.ContainsFunc(p.Statements, func(have Statement) bool { return have.Sid == s.Sid }) {
		return fmt.Errorf("the statement id (%s) provided already exists: %w", s.Sid, ErrConflict)
	}
	p.Statements = append(p.Statements, s)
	return nil
}

// Remove removes the statement with that Sid, ErrNotFound if there is none.
func (p *Policy) Remove(sid string) error {
	before := len(p.Statements)
	p.Statements = slices.DeleteFunc(p.Statements, func(s Statement) bool { return s.Sid == sid })
	if len(p.Statements) == before {
		return fmt.Errorf("statement %s is not found in resource policy: %w", sid, ErrNotFound)
	}
	return nil
}
