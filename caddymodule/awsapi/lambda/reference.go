package lambda

import (
	"errors"
	"fmt"

	"github.com/hearthfn/hearth/warmpool/function"
)

// A reference is the function that a call is about.
type reference struct {
	name      string
	qualifier string // "" if none was given
}

// orLatest is what the qualifier stands for if there is none.
func (f reference) orLatest() string {
	if f.qualifier == "" {
		return function.Latest
	}
	return f.qualifier
}

// find reads the name or ARN of a function, and the qualifier that may be in it or
// beside it.
func (a *API) find(name, qualifier string) (reference, error) {
	parsed, inName, err := a.Account.Parse(name)
	switch {
	case errors.Is(err, function.ErrOtherRegion), errors.Is(err, function.ErrOtherAccount):
		return reference{}, err
	case errors.Is(err, function.ErrLongName):
		return reference{parsed, qualifier}, fmt.Errorf("%w: %w", exception("ResourceNotFoundException", "Function not found: "+a.Account.ARN(parsed, qualifier)), err)
	case err != nil:
		return reference{}, invalid(err.Error())
	case inName != "" && qualifier != "" && inName != qualifier:
		return reference{}, invalid("The derived qualifier from the function name does not match the specified qualifier.")
	}
	if qualifier == "" {
		qualifier = inName
	}
	if qualifier != "" && !function.ValidQualifier(qualifier) {
		return reference{parsed, qualifier}, exception("ResourceNotFoundException", "Function not found: "+a.Account.ARN(parsed, qualifier))
	}
	return reference{parsed, qualifier}, nil
}

// findWhole is find for what a function has as a whole.
func (a *API) findWhole(name string) (string, error) {
	f, err := a.find(name, "")
	if err == nil && f.qualifier != "" {
		err = invalid("This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. " +
			"Please specify either a function name or an unqualified function ARN.")
	}
	return f.name, err
}

// arn is the ARN of what was asked for.
func (a *API) arn(f reference) string { return a.Account.ARN(f.name, f.qualifier) }

// notFound gives registry.ErrNotFound the text that most operations have for it.
func (a *API) notFound(err error, f reference) error {
	return missing(err, "Function not found: "+a.arn(f))
}
