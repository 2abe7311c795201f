package lambda

import (
	"slices"
	"strings"
)

// retired are runtimes that AWS no longer has.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
var retired = []string{
	"nodejs", "nodejs4.3", "nodejs4.3-edge", "nodejs6.10", "nodejs8.10", "nodejs10.x", "nodejs12.x", "nodejs14.x",
	"python2.7", "python3.6", "python3.7", "java8", "dotnetcore1.0", "dotnetcore2.0", "dotnetcore2.1", "dotnetcore3.1", "dotnet5.0", "dotnet7",
	"ruby2.5", "ruby2.7", "go1.x", "provided",
}

// checkRuntime refuses, in AWS's words, names that are not a runtime or are no longer one.
// Package runtimes refuses the runtimes that AWS has and this server lacks.
func (a *API) checkRuntime(name *string) error {
	switch {
	case name == nil || *name == "":
		return nil
	case slices.Contains(retired, *name):
		return invalid("The runtime parameter of " + *name + " is no longer supported for creating or updating AWS Lambda functions. " +
			"We recommend you use a supported runtime while creating or updating functions.")
	case !a.model.Takes("Runtime", *name):
		return invalid("Value " + *name + " at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [" +
			strings.Join(a.model.Listed("Runtime"), ", ") + "] or be a valid ARN")
	}
	return nil
}
