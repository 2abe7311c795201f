package caddymodule

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hearthfn/hearth/warmpool/code"
	"github.com/hearthfn/hearth/warmpool/function"
)

// Function is one function of the configuration. Everything but runtime,
// handler and code may be left out. Placeholders ({env.*}, {file.*} and the
// other global ones) are replaced in every text.
type Function struct {
	// The purpose of the function. At most 256 characters.
	Description string `json:"description,omitempty"`
	// The Lambda runtime: nodejs18.x ... nodejs24.x, python3.9 ... python3.14,
	// java11 ... java25, provided.al2, provided.al2023.
	Runtime string `json:"runtime,omitempty"`
	// The handler of events in the code: index.handler, app.main.handler.
	Handler string `json:"handler,omitempty"`
	// The code: a folder, or an archive (a zip or a jar). A relative path is relative
	// to the working directory of the server. The code is followed: when it changes,
	// the next request runs the new one.
	Code string `json:"code,omitempty"`
	// Layers, folders or archives, that are put together at /opt; later ones win. At
	// most 5. They are followed as the code is.
	Layers []string `json:"layers,omitempty"`
	// Memory in MB, 128 to 32768. Default: 128.
	Memory int `json:"memory,omitempty"`
	// How long an invocation may take, 1s to 90m. Default: 3s.
	Timeout caddy.Duration `json:"timeout,omitempty"`
	// Environment variables of the function. 4 KB in all.
	Env map[string]string `json:"env,omitempty"`
	// How many invocations run at once at most; 0 turns the function off.
	// Default: as many as the node allows.
	ReservedConcurrency *int `json:"reserved_concurrency,omitempty"`
	// How many environments are kept initialised. Default: 0.
	ProvisionedConcurrency int `json:"provisioned_concurrency,omitempty"`
	// How many invocations one environment runs at once. Default: 1, as on Lambda.
	PerEnvironmentConcurrency int `json:"per_environment_concurrency,omitempty"`
	// Size of /tmp in MB, 512 to 10240. Default: 512.
	EphemeralStorage int `json:"ephemeral_storage,omitempty"`
	Connectivity
	// How the function logs: text or json. Default: text.
	LogFormat string `json:"log_format,omitempty"`
	// The least level of what the function logs, with the format json: trace, debug,
	// info, warn, error or fatal. Default: info.
	LogLevel string `json:"log_level,omitempty"`
	// The least level of what Lambda itself logs, with the format json: debug, info or
	// warn. Default: info.
	SystemLogLevel string `json:"system_log_level,omitempty"`
	// The log group, which several functions may share. Default: /aws/lambda/NAME.
	LogGroup string `json:"log_group,omitempty"`
	// How the function's asynchronous invocations and pushed events are handled.
	Async FunctionAsync `json:"async,omitzero"`
	// How to treat a function that calls itself again and again, through the Lambda API,
	// queues or topics: terminate (it is not run a 17th time) or allow. Default:
	// terminate.
	RecursiveLoop string `json:"recursive_loop,omitempty"`
	// How long an invocation waits for an environment when all that the limits
	// allow are busy, before it is throttled with 429. Default: as for all functions.
	// Negative: not at all, as on AWS.
	QueueTimeout caddy.Duration `json:"queue_timeout,omitempty"`
}

// Values of Function.RecursiveLoop.
const (
	loopAllow     = "allow"
	loopTerminate = "terminate"
)

// resolve makes the engine's function of the configuration's.
func (f *Function) resolve(name string, repl *caddy.Replacer) (*function.Function, error) {
	env := make(map[string]string, len(f.Env))
	for k, v := range f.Env {
		env[k] = repl.ReplaceAll(v, "")
	}
	fn := &function.Function{
		Name:                      name,
		Description:               repl.ReplaceAll(f.Description, ""),
		Runtime:                   repl.ReplaceAll(f.Runtime, ""),
		Handler:                   repl.ReplaceAll(f.Handler, ""),
		Code:                      repl.ReplaceAll(f.Code, ""),
		MemoryMB:                  f.Memory,
		Timeout:                   time.Duration(f.Timeout),
		EphemeralStorageMB:        f.EphemeralStorage,
		Environment:               env,
		Logging:                   f.logging(repl),
		ReservedConcurrency:       f.ReservedConcurrency,
		AllowLoop:                 f.RecursiveLoop == loopAllow,
		ProvisionedConcurrency:    f.ProvisionedConcurrency,
		PerEnvironmentConcurrency: f.PerEnvironmentConcurrency,
		QueueTimeout:              time.Duration(f.QueueTimeout),
	}
	for _, layer := range f.Layers {
		fn.Layers = append(fn.Layers, repl.ReplaceAll(layer, ""))
	}
	var err error
	if fn.Network, fn.Rules, err = f.Connectivity.resolve(repl); err != nil {
		return nil, fmt.Errorf("function %q: %w", name, err)
	}
	if err := fn.Normalize(); err != nil {
		return nil, err
	}
	if f.RecursiveLoop != "" && f.RecursiveLoop != loopAllow && f.RecursiveLoop != loopTerminate {
		return nil, fmt.Errorf("function %q: recursive_loop %q: %s or %s", name, f.RecursiveLoop, loopTerminate, loopAllow)
	}
	f.Async.OnSuccess, f.Async.OnFailure = repl.ReplaceAll(f.Async.OnSuccess, ""), repl.ReplaceAll(f.Async.OnFailure, "")
	if err := f.Async.check(name); err != nil {
		return nil, err
	}
	if fn.Code, err = codePath(fn.Code); err != nil {
		return nil, fmt.Errorf("function %q: code: %w", name, err)
	}
	for i := range fn.Layers {
		if fn.Layers[i], err = codePath(fn.Layers[i]); err != nil {
			return nil, fmt.Errorf("function %q: layer: %w", name, err)
		}
	}
	return fn, nil
}

// logging is how the function logs. The format is written as AWS does.
func (f *Function) logging(repl *caddy.Replacer) function.Logging {
	format := repl.ReplaceAll(f.LogFormat, "")
	for _, known := range []string{function.TextFormat, function.JSONFormat} {
		if strings.EqualFold(format, known) {
			format = known
		}
	}
	return function.Logging{
		Format: format, ApplicationLevel: repl.ReplaceAll(f.LogLevel, ""), SystemLevel: repl.ReplaceAll(f.SystemLogLevel, ""), Group: repl.ReplaceAll(f.LogGroup, ""),
	}
}

// codePath is the absolute path of code or of a layer that is there.
func codePath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return path, code.Check(path)
}
