package caddymodule

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hearthfn/hearth/warmpool/function"
)

// Function is one function of the configuration. Everything but runtime,
// handler and code may be left out. Placeholders ({env.*}, {file.*} and the
// other global ones) are replaced in every text.
type Function struct {
	// What the function is for. At most 256 characters.
	Description string `json:"description,omitempty"`
	// The Lambda runtime: nodejs18.x ... nodejs24.x, python3.9 ... python3.14.
	Runtime string `json:"runtime,omitempty"`
	// Which of the code's functions handles events: index.handler, app.main.handler.
	Handler string `json:"handler,omitempty"`
	// The folder that holds the code. A relative one is relative to the working
	// directory of the server. The folder is followed: when a file in it changes,
	// the next request runs the new code.
	Code string `json:"code,omitempty"`
	// Memory in MB, 128 to 32768. Default: 128.
	Memory int `json:"memory,omitempty"`
	// How long an invocation may take, 1s to 15m. Default: 3s.
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
	// What the function can reach: host (the machine's network, as on Lambda) or
	// none. Default: host.
	Network string `json:"network,omitempty"`
	// How long an invocation waits for an environment when all that the limits
	// allow are busy, before it is throttled with 429. Default: 2s. Negative: not
	// at all, as on AWS.
	QueueTimeout caddy.Duration `json:"queue_timeout,omitempty"`
}

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
		Network:                   function.Network(repl.ReplaceAll(f.Network, "")),
		ReservedConcurrency:       f.ReservedConcurrency,
		ProvisionedConcurrency:    f.ProvisionedConcurrency,
		PerEnvironmentConcurrency: f.PerEnvironmentConcurrency,
		QueueTimeout:              time.Duration(f.QueueTimeout),
	}
	if err := fn.Normalize(); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(fn.Code)
	if err != nil {
		return nil, fmt.Errorf("function %q: code: %w", name, err)
	}
	fn.Code = path
	switch info, err := os.Stat(path); {
	case err != nil:
		return nil, fmt.Errorf("function %q: code: %w", name, err)
	case !info.IsDir():
		return nil, fmt.Errorf("function %q: code %s is a file: name the folder that holds the code (unzip an archive first)", name, path)
	}
	return fn, nil
}
