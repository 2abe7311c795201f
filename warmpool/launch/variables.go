package launch

import (
	"cmp"
	"maps"
	"strconv"
	"strings"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/sandbox"
)

// places are the paths of a process's code and files.
type places struct{ task, runtime, layers, sdk string }

// inside are the places in a sandbox.
var inside = places{sandbox.TaskRoot, sandbox.RuntimeDir, sandbox.LayerRoot, ""}

// noEndpoint stands for the endpoint of the Runtime API in an environment without one: a
// built-in runtime speaks frames. A connection to noEndpoint is refused at once.
const noEndpoint = "127.0.0.1:1"

// The address is the default of the X-Ray daemon. Without a daemon the packets are lost, and
// nobody waits for an answer.
const (
	xrayHost = "127.0.0.1"
	xrayPort = "2000"
)

// variables are the environment variables of f: Lambda's defaults, the function's own,
// and those that a function cannot set.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
func (l *Launcher) variables(f *function.Function, initialization, stream string, at places) map[string]string {
	programs, libraries := languageFolders(f.Runtime)
	env := map[string]string{
		"LANG":                     l.language,
		"TZ":                       ":UTC",
		"PATH":                     programs + "/usr/local/bin:/usr/bin/:/bin:" + at.layers + "/bin",
		"LD_LIBRARY_PATH":          libraries + "/lib64:/usr/lib64:" + at.runtime + ":" + at.runtime + "/lib:" + at.task + ":" + at.task + "/lib:" + at.layers + "/lib",
		"AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
		"AWS_XRAY_DAEMON_ADDRESS":  xrayHost + ":" + xrayPort,
	}
	maps.Copy(env, languageVariables(f.Runtime, at))
	maps.Copy(env, f.Environment)
	maps.Copy(env, map[string]string{
		"_HANDLER":                        f.Handler,
		"_AWS_XRAY_DAEMON_ADDRESS":        xrayHost,
		"_AWS_XRAY_DAEMON_PORT":           xrayPort,
		"LAMBDA_TASK_ROOT":                at.task,
		"LAMBDA_RUNTIME_DIR":              at.runtime,
		"AWS_REGION":                      l.Account.Region,
		"AWS_DEFAULT_REGION":              l.Account.Region,
		"AWS_LAMBDA_FUNCTION_NAME":        f.Name,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(f.MemoryMB),
		"AWS_LAMBDA_FUNCTION_VERSION":     f.Version,
		"AWS_LAMBDA_INITIALIZATION_TYPE":  initialization,
		"AWS_LAMBDA_LOG_GROUP_NAME":       f.LogGroup(),
		"AWS_LAMBDA_LOG_STREAM_NAME":      stream,
		runtimeAPI:                        noEndpoint,
	})
	if l := f.Logging; l.Format == function.JSONFormat {
		env["AWS_LAMBDA_LOG_FORMAT"], env["AWS_LAMBDA_LOG_LEVEL"] = l.Format, l.ApplicationLevel
	}
	if !strings.HasPrefix(f.Runtime, "provided") { // programs learn from it which runtime they are in
		env["AWS_EXECUTION_ENV"] = "AWS_Lambda_" + f.Runtime
	}
	if f.PerEnvironmentConcurrency > 1 {
		env["AWS_LAMBDA_MAX_CONCURRENCY"] = strconv.Itoa(f.PerEnvironmentConcurrency)
	}
	return env
}

// languageFolders are the first folders of PATH and LD_LIBRARY_PATH: those of Lambda's
// interpreters, as recorded. Ruby's bootstrap adds them a second time.
func languageFolders(runtime string) (programs, libraries string) {
	programs, libraries = "/var/lang/bin:", "/var/lang/lib:"
	switch {
	case runtime == "provided.al2":
		return "", ""
	case strings.HasPrefix(runtime, "ruby"):
		return programs + programs, libraries + libraries
	}
	return programs, libraries
}

// languageVariables are the defaults of one language, as recorded. If Lambda's bootstrap is a
// shell script, they have the variables that its shell sets, too.
func languageVariables(runtime string, at places) map[string]string {
	shell := map[string]string{"PWD": at.task, "SHLVL": "0"}
	if version, ok := strings.CutPrefix(runtime, "nodejs"); ok {
		modules := at.layers + "/nodejs"
		shell["NODE_PATH"] = strings.Join([]string{
			modules + "/node" + strings.TrimSuffix(version, ".x") + "/node_modules", modules + "/node_modules",
			cmp.Or(at.sdk, at.runtime+"/node_modules"), at.runtime, at.task,
		}, ":")
		return shell
	}
	if version, ok := strings.CutPrefix(runtime, "python3."); ok {
		shell["PYTHONPATH"] = at.runtime
		if minor, err := strconv.Atoi(version); err == nil && minor >= 12 {
			// From here on Lambda's machine lacks the locale of LANG, and Python says so.
			shell["LC_CTYPE"] = "C.UTF-8"
		}
		return shell
	}
	if version, ok := strings.CutPrefix(runtime, "ruby"); ok {
		shell["GEM_HOME"] = at.runtime
		shell["GEM_PATH"] = strings.Join([]string{
			at.task + "/vendor/bundle/ruby/" + version + ".0", at.layers + "/ruby/gems/" + version + ".0", at.runtime, at.runtime + "/ruby/" + version + ".0",
		}, ":")
		return shell
	}
	return nil
}
