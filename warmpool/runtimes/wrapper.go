package runtimes

// execWrapper names the program that is started in place of a built-in runtime, with
// the runtime's command as its arguments.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html#runtime-wrapper
const execWrapper = "AWS_LAMBDA_EXEC_WRAPPER"

// IsWrapped reports whether a function with these variables has a wrapper. Functions
// that bring their own program have none, on Lambda too.
func IsWrapped(in Interpreter, variables map[string]string) bool {
	return in.Family != FamilyCustom && variables[execWrapper] != ""
}

// startWrapper ends with the statuses that Lambda's runtimes end with.
const startWrapper = `[ -f "$1" ] || { echo "$1: does not exist" >&2; exit 127; }
[ -x "$1" ] || { echo "$1: is not an executable" >&2; exit 126; }
exec "$@"`

// wrapped is the command that starts wrapper in the place of a runtime.
func wrapped(wrapper string, runtime []string) []string {
	return append([]string{"/bin/sh", "-c", startWrapper, "sh", wrapper}, runtime...)
}

// wantsSite reports whether a Python must start with the module site. A wrapper or a
// function's PYTHONPATH sets the paths of the process, and may count on the sitecustomize
// that is there.
func wantsSite(variables map[string]string, runtimeDir string) bool {
	path := variables["PYTHONPATH"]
	return variables[execWrapper] != "" || path != "" && path != runtimeDir
}
