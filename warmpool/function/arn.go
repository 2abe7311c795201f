package function

import (
	"fmt"
	"strings"

	"github.com/hearthfn/hearth/warmpool/trace"
)

// An Account is the AWS account and region that the ARNs of a node name.
type Account struct {
	ID     string // twelve digits, default "000000000000"
	Region string // default "us-east-1"
}

// DefaultAccount is used unless something else is configured.
var DefaultAccount = Account{ID: "000000000000", Region: "us-east-1"}

// ARN is the function's ARN; a qualifier of "" gives the unqualified one.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
func (a Account) ARN(name, qualifier string) string {
	arn := "arn:aws:lambda:" + a.Region + ":" + a.ID + ":function:" + name
	if qualifier != "" {
		arn += ":" + qualifier
	}
	return arn
}

// InvokedARN is the ARN that a function finds in its context: unqualified unless a
// version or an alias was asked for.
func (a Account) InvokedARN(name, qualifier string) string {
	if qualifier == Latest {
		qualifier = ""
	}
	return a.ARN(name, qualifier)
}

// Key is the function's key in the lineage of a trace header.
func (a Account) Key(name string) trace.Key { return trace.KeyOf(a.ID, a.Region, name) }

// ParseReference splits "NAME" or "NAME:QUALIFIER". Without a qualifier it is
// Latest, as on Lambda.
func ParseReference(s string) (name, qualifier string, err error) {
	name, qualifier, found := strings.Cut(s, ":")
	if !ValidName(name) {
		return "", "", fmt.Errorf("function name %.200q: 1 to 64 letters, digits, hyphens and underscores are allowed", name)
	}
	if !found {
		return name, Latest, nil
	}
	if !ValidQualifier(qualifier) {
		return "", "", fmt.Errorf("function %q: qualifier %.200q: $LATEST, a version number or an alias is allowed", name, qualifier)
	}
	return name, qualifier, nil
}

// ValidQualifier reports whether q is $LATEST or has the form of a version or
// an alias.
func ValidQualifier(q string) bool {
	if q == Latest {
		return true
	}
	if q == "" || len(q) > 128 {
		return false
	}
	for _, c := range q {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}
