package launch

import (
	"strings"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// RuntimeVersion names the program that serves a runtime, e.g. nodejs-22.23.5. If the program
// has another version than the runtime names, it says so in a sentence.
func (l *Launcher) RuntimeVersion(runtime string) (version, warning string) {
	in, warning, err := l.Interpreters.Find(runtime)
	if err != nil {
		return runtime, err.Error()
	}
	return programVersion(in), warning
}

// versionARN is the ARN of the program that runs a function.
func (l *Launcher) versionARN(in runtimes.Interpreter) string {
	return "arn:aws:lambda:" + l.Account.Region + "::runtime:" + programVersion(in)
}

// programVersion is the last part of the ARN.
func programVersion(in runtimes.Interpreter) string {
	if in.Version == "" { // the function's own program
		return strings.Replace(in.Runtime, ".", "-", 1)
	}
	return in.Family + "-" + in.Version
}

// versionText names the program as INIT_START does: the part of its version that the
// runtime's name has, and the rest after a v.
func versionText(in runtimes.Interpreter) string {
	parts := strings.SplitN(in.Version, ".", 3)
	named := 1
	if in.Family == runtimes.FamilyPython || in.Family == runtimes.FamilyRuby {
		named = 2
	}
	if len(parts) <= named {
		return in.Runtime
	}
	return in.Family + ":" + strings.Join(parts[:named], ".") + ".v" + strings.Join(parts[named:], ".")
}
