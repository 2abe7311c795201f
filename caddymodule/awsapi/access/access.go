package access

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi/policy"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/warmpool/function"
)

// Roles finds roles by their names. Roles of package iam does.
type Roles interface {
	// Grant is nil if there is no such role.
	Grant(ctx context.Context, name string) (*Grant, error)
}

// A Grant is a role as it is evaluated. It does not change.
type Grant struct {
	Name, ID, ARN string
	Longest       time.Duration // of a session
	Trust         *policy.Document
	Policies      []*policy.Document
	Boundary      *policy.Document // nil: there is none
	Tags          map[string]string
}

// An Authority evaluates policies.
type Authority struct {
	Account function.Account
	Roles   Roles
	Off     bool // policies are not asked: every role may do everything
	Now     func() time.Time
}

// A Need is an action that an operation takes.
type Need struct {
	Action string
	// Resources are names of one resource: a policy may name any of them. None: "*".
	Resources []string
	// Context are values of condition keys, by their names in small letters.
	Context map[string][]string
	// Policy is the resource's own, which may allow it too; nil: there is none.
	Policy *policy.Document
}

// A Denied says that somebody may not do something.
type Denied struct{ Message string }

func (d *Denied) Error() string { return d.Message }

// Check says whether a key may do all that is needed. The error is a *Denied if it may not. r is
// the request, which has values of condition keys.
func (a *Authority) Check(ctx context.Context, key *sigv4.Key, r *http.Request, needs ...Need) error {
	if key.Role == nil || a == nil || a.Off {
		return nil
	}
	grant, err := a.Roles.Grant(ctx, key.Role.Name)
	if err != nil {
		return err
	}
	if grant != nil && grant.ID != key.Role.ID {
		grant = nil // it was deleted, and another one has its name
	}
	for n := range needs {
		if err := a.check(key, grant, r, &needs[n]); err != nil {
			return err
		}
	}
	return nil
}

func (a *Authority) check(key *sigv4.Key, grant *Grant, r *http.Request, need *Need) error {
	resources := need.Resources
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	denied := func(because string) error {
		return &Denied{"User: " + key.ARN(a.Account.ID) + " is not authorized to perform: " + need.Action + " on resource: " + resources[0] + " " + because}
	}
	if grant == nil {
		return denied("because the role does not exist any more")
	}
	request := policy.Request{
		Action: need.Action, Context: a.values(key, grant, r, need.Context),
		Principals: []string{grant.ARN, key.ARN(a.Account.ID), "arn:aws:iam::" + a.Account.ID + ":root", a.Account.ID},
	}
	blame := ""
	allowed := false
	for _, resource := range resources {
		request.Resource = resource
		ok, because := policy.Decide(&request, grant.Policies, grant.Boundary)
		if strings.HasPrefix(because, "with an explicit deny") {
			return denied(because)
		}
		if need.Policy != nil {
			switch need.Policy.Of(&request) {
			case policy.Deny:
				return denied("with an explicit deny in a resource-based policy")
			case policy.Allow:
				// What allows the account leaves it to the policies of its roles.
				self := request
				self.Principals = request.Principals[:2]
				ok = ok || need.Policy.Of(&self) == policy.Allow
			}
		}
		allowed = allowed || ok
		if blame == "" {
			blame = because
		}
	}
	if !allowed {
		return denied(blame)
	}
	return nil
}

// values are the values of the global condition keys.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
func (a *Authority) values(key *sigv4.Key, grant *Grant, r *http.Request, more map[string][]string) map[string][]string {
	now := time.Now()
	if a.Now != nil {
		now = a.Now()
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	// What comes from this machine, as the calls of functions do, is on no wire.
	address := net.ParseIP(host)
	secure := r.TLS != nil || address != nil && address.IsLoopback()
	values := map[string][]string{
		"aws:principalarn":     {grant.ARN},
		"aws:principalaccount": {a.Account.ID},
		"aws:principaltype":    {"AssumedRole"},
		"aws:userid":           {grant.ID + ":" + key.Role.Session},
		"aws:currenttime":      {now.UTC().Format(time.RFC3339)},
		"aws:epochtime":        {strconv.FormatInt(now.Unix(), 10)},
		"aws:requestedregion":  {a.Account.Region},
		"aws:resourceaccount":  {a.Account.ID},
		"aws:sourceip":         {host},
		"aws:securetransport":  {strconv.FormatBool(secure)},
		"aws:useragent":        {r.UserAgent()},
		"aws:viaawsservice":    {"false"},
	}
	for name, value := range grant.Tags {
		values["aws:principaltag/"+strings.ToLower(name)] = []string{value}
	}
	for name, value := range more {
		values[name] = value
	}
	return values
}

// Pass is the need of who gives a role to a service.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
func Pass(role, service string) Need {
	return Need{Action: "iam:PassRole", Resources: []string{role}, Context: map[string][]string{"iam:passedtoservice": {service}}}
}

// Trusts reports whether a role lets a service act as it.
func Trusts(g *Grant, service string) bool {
	return g.Trust.Of(&policy.Request{Action: "sts:AssumeRole", Services: []string{service}, Context: map[string][]string{}}) == policy.Allow
}

// Assume says whether a key may assume a role: the trust policy of the role must allow it, and, if
// that does not name the caller itself, the policies of the caller's own role too.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
func (a *Authority) Assume(ctx context.Context, key *sigv4.Key, r *http.Request, to *Grant, externalID, session string) error {
	if a.Off {
		return nil
	}
	const action = "sts:AssumeRole"
	denied := func() error {
		return &Denied{"User: " + key.ARN(a.Account.ID) + " is not authorized to perform: " + action + " on resource: " + to.ARN}
	}
	self := []string{key.ARN(a.Account.ID)}
	request := policy.Request{Action: action, Context: map[string][]string{"sts:rolesessionname": {session}}}
	if externalID != "" {
		request.Context["sts:externalid"] = []string{externalID}
	}
	from := &Grant{ARN: self[0]}
	if key.Role != nil {
		g, err := a.Roles.Grant(ctx, key.Role.Name)
		if err != nil {
			return err
		}
		if g == nil || g.ID != key.Role.ID {
			return denied()
		}
		from = g
		self = append(self, g.ARN)
		request.Context = a.values(key, g, r, request.Context)
	} else {
		request.Context["aws:principalarn"] = self
		request.Context["aws:principalaccount"] = []string{a.Account.ID}
		request.Context["aws:principaltype"] = []string{"User"}
	}
	request.Principals = append([]string{"arn:aws:iam::" + a.Account.ID + ":root", a.Account.ID}, self...)
	if to.Trust.Of(&request) != policy.Allow {
		return denied()
	}
	if key.Role == nil {
		return nil
	}
	need := Need{Action: action, Resources: []string{to.ARN}, Context: request.Context}
	if to.Trust.Names(&request, self) {
		need.Policy = to.Trust
	}
	return a.check(key, from, r, &need)
}

// Acts says whether a service may do something by a role that it was given. session is what the
// service calls its session.
func (a *Authority) Acts(g *Grant, service, session, action string, resources ...string) error {
	if a.Off {
		return nil
	}
	key := &sigv4.Key{Role: &sigv4.Role{Name: g.Name, ID: g.ID, Session: session}}
	if !Trusts(g, service) {
		return &Denied{"The execution role " + g.ARN + " does not let " + service + " assume it"}
	}
	return a.check(key, g, &http.Request{}, &Need{Action: action, Resources: resources})
}
