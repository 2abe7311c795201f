package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hearthfn/hearth/caddymodule/engine/services"
	"github.com/hearthfn/hearth/invoker"
	"github.com/hearthfn/hearth/warmpool/code"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/spelling"
	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// Function is one function of the configuration. All fields but runtime, handler and code are
// optional. Placeholders ({env.*}, {file.*} and the other global ones) are replaced in every
// text.
type Function struct {
	// The purpose of the function. At most 256 characters.
	Description string `json:"description,omitempty"`
	// The Lambda runtime: nodejs18.x ... nodejs24.x, python3.9 ... python3.14,
	// java11 ... java25, provided.al2, provided.al2023.
	Runtime string `json:"runtime,omitempty"`
	// The handler of events in the code: index.handler, app.main.handler.
	Handler string `json:"handler,omitempty"`
	// The code: a folder, or an archive (a zip or a jar). A relative path is relative
	// to the working directory of the server. The server watches the code: after a change
	// the next request runs the new code.
	Code string `json:"code,omitempty"`
	// Layers, folders or archives, that are merged at /opt; later ones win. At most 5. The
	// server watches them as it does the code.
	Layers []string `json:"layers,omitempty"`
	// Memory in MB, 128 to 32768. Default: 128.
	Memory int `json:"memory,omitempty"`
	// How long an invocation may take, 1s to 90m. Default: 3s.
	Timeout caddy.Duration `json:"timeout,omitempty"`
	// Environment variables of the function. 4 KB in all.
	Env map[string]string `json:"env,omitempty"`
	// The ARN of the role that the function acts by, as functions of the API do: its environments
	// get credentials of it, once IAM of this server has it. A site must have lambda_api.
	// Default: none.
	Role string `json:"role,omitempty"`
	// How many invocations run at once at most; 0 turns the function off.
	// Default: as many as the node allows.
	ReservedConcurrency *int `json:"reserved_concurrency,omitempty"`
	// How many environments are initialised ahead of calls. Default: 0.
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
	// How long an invocation waits for an environment when all environments that the limits
	// allow are busy. After that it is throttled with 429. Default: as for all functions.
	// Negative: it does not wait, as on AWS.
	QueueTimeout caddy.Duration `json:"queue_timeout,omitempty"`
}

var roleARN = regexp.MustCompile(`^arn:aws:iam::\d{12}:role/[\w+=,.@/-]{1,512}$`)

// Values of Function.RecursiveLoop.
const (
	loopAllow     = "allow"
	loopTerminate = "terminate"
)

// resolve makes the engine's function from the function of the configuration.
func (f *Function) resolve(name string, repl *caddy.Replacer) (*function.Function, error) {
	fn, err := f.values(name, repl)
	if err != nil {
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

// values makes the function from the values of the configuration, and looks at no file.
func (f *Function) values(name string, repl *caddy.Replacer) (*function.Function, error) {
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
		Role:                      repl.ReplaceAll(f.Role, ""),
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
	if err := runtimes.CheckNames(fn.Runtime, fn.Handler); err != nil {
		return nil, fmt.Errorf("function %q: %w", name, err)
	}
	if fn.Role != "" && !roleARN.MatchString(fn.Role) {
		return nil, fmt.Errorf("function %q: role %q: the ARN of a role is wanted, as arn:aws:iam::000000000000:role/NAME", name, fn.Role)
	}
	if f.RecursiveLoop != "" && f.RecursiveLoop != loopAllow && f.RecursiveLoop != loopTerminate {
		return nil, fmt.Errorf("function %q: recursive_loop %q: %s or %s", name, f.RecursiveLoop, loopTerminate, loopAllow)
	}
	f.Async.OnSuccess, f.Async.OnFailure = repl.ReplaceAll(f.Async.OnSuccess, ""), repl.ReplaceAll(f.Async.OnFailure, "")
	return fn, f.Async.check(name)
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

// codePath is the absolute path of code or of a layer. It returns an error if there is none.
func codePath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no folder or archive %s%s", path, spelling.Meant(filepath.Base(path), neighbours(path)))
	}
	return path, code.Check(path)
}

// mostNeighbours bounds how many names are compared with one that is not there.
const mostNeighbours = 1000

// neighbours are the names in the folder of a file.
func neighbours(path string) []string {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil
	}
	defer folder.Close()
	names, _ := folder.Readdirnames(mostNeighbours) // what cannot be read is not suggested
	return names
}

// Connectivity says what a function can reach. In the global option it is the default of
// functions.
type Connectivity struct {
	// private: each environment has a network of its own, with a way out that leads past this
	// machine. host: the network of this machine, with all services that listen there. none:
	// a loopback and nothing else. Default: that of the global option. Its default is private,
	// or none on a machine that cannot provide private.
	Network string `json:"network,omitempty"`
	// Addresses and ranges that network private cannot reach. Default: those of the global
	// option, if the function sets neither network_deny nor network_allow.
	NetworkDeny []string `json:"network_deny,omitempty"`
	// The only addresses and ranges that network private can reach, each with or without a
	// port: 10.0.0.0/8, 10.1.2.3:5432, [fd00::/8]:443. Denied addresses stay denied. Default:
	// those of the global option, or all.
	NetworkAllow []string `json:"network_allow,omitempty"`
	// Services of this machine that network private can reach, by their address, such as
	// 127.0.0.1:9000. Functions find them at host.hearth.internal:9000, too. The services of
	// the global option are added.
	Reach []string `json:"reach,omitempty"`
}

// resolve reads the configured network and its rules.
func (c *Connectivity) resolve(repl *caddy.Replacer) (function.Network, function.NetworkRules, error) {
	var rules function.NetworkRules
	network := function.Network(repl.ReplaceAll(c.Network, ""))
	if network != "" && !network.Valid() {
		return "", rules, fmt.Errorf("network %q: private, host or none", network)
	}
	for _, text := range c.NetworkDeny {
		prefix, err := function.ParseDeny(repl.ReplaceAll(text, ""))
		if err != nil {
			return "", rules, fmt.Errorf("network: deny: %w", err)
		}
		rules.Deny = append(rules.Deny, prefix)
	}
	for _, text := range c.NetworkAllow {
		rule, err := function.ParseAllow(repl.ReplaceAll(text, ""))
		if err != nil {
			return "", rules, fmt.Errorf("network: allow: %w", err)
		}
		rules.Allow = append(rules.Allow, rule)
	}
	for _, text := range c.Reach {
		service, err := function.ParseReach(repl.ReplaceAll(text, ""))
		if err != nil {
			return "", rules, fmt.Errorf("reach: %w", err)
		}
		rules.Reach = append(rules.Reach, service)
	}
	if network == function.NetworkHost || network == function.NetworkNone {
		if len(rules.Deny)+len(rules.Allow) > 0 {
			return "", rules, fmt.Errorf("network %s: deny and allow are of network private", network)
		}
	}
	return network, rules, rules.Check()
}

// FunctionAsync says how the events of a function of the configuration are delivered.
type FunctionAsync struct {
	// How often an event is tried again after the function failed: 0 to 2, after one
	// and two minutes. Default: 2.
	Retries *int `json:"retries,omitempty"`
	// How old an event may become, 1m to 6h. Default: 6h.
	MaxAge caddy.Duration `json:"max_age,omitempty"`
	// The destination for a record of each result: the ARN of a function, an SQS queue, an
	// SNS topic or an S3 bucket, or a URL. Default: none.
	OnSuccess string `json:"on_success,omitempty"`
	// The destination for a record of each event that is given up. Default: none; the
	// event is put aside, see `caddy hearth events`.
	OnFailure string `json:"on_failure,omitempty"`
}

// Limits of settings, as Lambda has them.
// https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
const (
	maxRetries = 2
	minMaxAge  = time.Minute
	maxMaxAge  = 6 * time.Hour
)

func (f *FunctionAsync) check(name string) error {
	if f.Retries != nil && (*f.Retries < 0 || *f.Retries > maxRetries) {
		return fmt.Errorf("function %q: async: retries %d: 0 to %d are allowed", name, *f.Retries, maxRetries)
	}
	if age := time.Duration(f.MaxAge); age != 0 && (age < minMaxAge || age > maxMaxAge) {
		return fmt.Errorf("function %q: async: max_age %s: %s to %s are allowed", name, age, minMaxAge, maxMaxAge)
	}
	for _, to := range []string{f.OnSuccess, f.OnFailure} {
		if to == "" {
			continue
		}
		if err := services.CheckDestination(to); err != nil {
			return fmt.Errorf("function %q: async: %w", name, err)
		}
	}
	return nil
}

func (f *FunctionAsync) settings() invoker.Settings {
	s := invoker.Settings{
		MaxRetries: invoker.DefaultMaxRetries, MaxAge: cmp.Or(time.Duration(f.MaxAge), invoker.DefaultMaxAge),
		OnSuccess: f.OnSuccess, OnFailure: f.OnFailure,
	}
	if f.Retries != nil {
		s.MaxRetries = *f.Retries
	}
	return s
}
