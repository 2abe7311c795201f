package function

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Defaults and limits of a function's configuration, as Lambda has them.
// https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const (
	DefaultMemoryMB           = 128
	MinMemoryMB               = 128
	MaxMemoryMB               = 32768
	DefaultTimeout            = 3 * time.Second
	MaxTimeout                = 5400 * time.Second
	DefaultEphemeralStorageMB = 512
	MaxEphemeralStorageMB     = 10240
	MaxDescription            = 256
	MaxLayers                 = 5
	MaxEnvironmentBytes       = 4096
	MaxEnvironmentConcurrency = 1600
)

// Latest is the qualifier of the unpublished version.
const Latest = "$LATEST"

// A Network says what a function's environments can reach.
type Network string

const (
	NetworkPrivate Network = "private" // a loopback of their own, and a way out that leads past this machine
	NetworkHost    Network = "host"    // the machine's network, with all that listens there
	NetworkNone    Network = "none"    // a loopback of their own and nothing else
)

// A Function is the configuration of one function. The zero value of each
// field but Name, Runtime, Handler and Code stands for its default; Normalize
// puts the defaults in.
type Function struct {
	Name        string // 1..64 of letters, digits, - and _
	Version     string // Latest or the number of a published version, default Latest
	Description string // at most 256 characters
	Runtime     string // e.g. "nodejs22.x"
	Handler     string // e.g. "index.handler"
	Code        string // absolute path of the code: a folder, or an archive (zip, jar)
	// Layers are absolute paths, as Code, of what is put together at /opt; later ones
	// win. At most 5.
	Layers []string

	MemoryMB           int               // 128..32768, default 128
	Timeout            time.Duration     // 1s..900s, default 3s
	EphemeralStorageMB int               // size of /tmp, 512..10240, default 512
	Environment        map[string]string // at most 4 KB, no reserved names
	Network            Network           // default: the node's
	Rules              NetworkRules      // of NetworkPrivate; what Reach names comes beside what the node's does
	Logging            Logging
	// Role is the ARN of the role whose credentials environments get, if the server knows it;
	// "": none.
	Role string

	// ReservedConcurrency is how many invocations run at once at most; nil for
	// no limit but the node's. 0 turns the function off.
	ReservedConcurrency *int

	// ReservedElsewhere is how much of the reserved concurrency is provisioned for other
	// versions. This one does not get it.
	ReservedElsewhere int

	// ProvisionedConcurrency is how many environments are kept initialised.
	ProvisionedConcurrency int
	// PerEnvironmentConcurrency is how many invocations one environment runs at
	// once; default 1.
	PerEnvironmentConcurrency int
	// AllowLoop has the function run however often it has in a chain of requests.
	AllowLoop bool
	// QueueTimeout is how long an invocation waits for an environment when all
	// that the limits allow are busy, before it is throttled. AWS does not wait;
	// negative means the same here. 0: as the pool has it. A cold start in progress
	// is always waited for.
	QueueTimeout time.Duration
}

var (
	namePattern = regexp.MustCompile(`^[a-zA-Z0-9-_]{1,64}$`)
	envPattern  = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]+$`)
)

// reserved are the environment variables that Lambda sets itself and refuses to
// have configured.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
var reserved = map[string]bool{
	"_HANDLER": true, "_X_AMZN_TRACE_ID": true, "AWS_DEFAULT_REGION": true, "AWS_REGION": true,
	"AWS_EXECUTION_ENV": true, "AWS_LAMBDA_FUNCTION_NAME": true, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": true,
	"AWS_LAMBDA_FUNCTION_VERSION": true, "AWS_LAMBDA_INITIALIZATION_TYPE": true,
	"AWS_LAMBDA_LOG_GROUP_NAME": true, "AWS_LAMBDA_LOG_STREAM_NAME": true,
	"AWS_LAMBDA_RUNTIME_API": true, "LAMBDA_TASK_ROOT": true, "LAMBDA_RUNTIME_DIR": true,
}

// ValidName reports whether name may name a function.
func ValidName(name string) bool { return namePattern.MatchString(name) }

// Normalize puts the defaults in and checks every field. The error names the
// function, the field, and what is allowed.
func (f *Function) Normalize() error {
	if !ValidName(f.Name) {
		return fmt.Errorf("function name %q: 1 to 64 letters, digits, hyphens and underscores are allowed", f.Name)
	}
	setDefault(&f.Version, Latest)
	setDefault(&f.MemoryMB, DefaultMemoryMB)
	setDefault(&f.Timeout, DefaultTimeout)
	setDefault(&f.EphemeralStorageMB, DefaultEphemeralStorageMB)
	setDefault(&f.PerEnvironmentConcurrency, 1)
	err := f.Logging.normalize()
	if err == nil {
		err = f.check()
	}
	if err != nil {
		return fmt.Errorf("function %q: %w", f.Name, err)
	}
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (f *Function) check() error {
	switch {
	case f.Runtime == "":
		return errors.New("runtime is missing, e.g. nodejs22.x or python3.13")
	case f.Handler == "":
		return errors.New("handler is missing, e.g. index.handler")
	case len(f.Handler) > 128 || strings.ContainsAny(f.Handler, " \t\r\n"):
		return fmt.Errorf("handler %q: at most 128 characters without spaces", f.Handler)
	case f.Code == "":
		return errors.New("code is missing: the folder that holds the function's code")
	case len(f.Layers) > MaxLayers:
		return fmt.Errorf("%d layers: %d at most", len(f.Layers), MaxLayers)
	case len([]rune(f.Description)) > MaxDescription:
		return fmt.Errorf("description is over %d characters", MaxDescription)
	case f.MemoryMB < MinMemoryMB || f.MemoryMB > MaxMemoryMB:
		return fmt.Errorf("memory %d MB: %d to %d are allowed", f.MemoryMB, MinMemoryMB, MaxMemoryMB)
	case f.Timeout < time.Second || f.Timeout > MaxTimeout:
		return fmt.Errorf("timeout %s: 1s to %s are allowed", f.Timeout, MaxTimeout)
	case f.EphemeralStorageMB < DefaultEphemeralStorageMB || f.EphemeralStorageMB > MaxEphemeralStorageMB:
		return fmt.Errorf("ephemeral_storage %d MB: %d to %d are allowed", f.EphemeralStorageMB, DefaultEphemeralStorageMB, MaxEphemeralStorageMB)
	case f.Network != "" && !f.Network.Valid():
		return fmt.Errorf("network %q: private, host or none", f.Network)
	case f.PerEnvironmentConcurrency < 1 || f.PerEnvironmentConcurrency > MaxEnvironmentConcurrency:
		return fmt.Errorf("per_environment_concurrency %d: 1 to %d are allowed", f.PerEnvironmentConcurrency, MaxEnvironmentConcurrency)
	case f.ReservedConcurrency != nil && *f.ReservedConcurrency < 0:
		return fmt.Errorf("reserved_concurrency %d: 0 or more", *f.ReservedConcurrency)
	case f.ProvisionedConcurrency < 0:
		return fmt.Errorf("provisioned_concurrency %d: 0 or more", f.ProvisionedConcurrency)
	case f.ReservedConcurrency != nil && f.ProvisionedConcurrency > *f.ReservedConcurrency:
		return fmt.Errorf("provisioned_concurrency %d is more than reserved_concurrency %d", f.ProvisionedConcurrency, *f.ReservedConcurrency)
	}
	if err := f.Rules.Check(); err != nil {
		return fmt.Errorf("network: %w", err)
	}
	return f.checkEnvironment()
}

func (f *Function) checkEnvironment() error {
	size := 0
	for _, name := range slices.Sorted(maps.Keys(f.Environment)) {
		switch {
		case !envPattern.MatchString(name):
			return fmt.Errorf("env %q: a name starts with a letter and has at least two letters, digits or underscores", name)
		case reserved[name]:
			return fmt.Errorf("env %s is reserved: Lambda sets it", name)
		case strings.ContainsRune(f.Environment[name], 0):
			return fmt.Errorf("env %s holds a NUL byte", name)
		}
		size += len(name) + len(f.Environment[name])
	}
	if size > MaxEnvironmentBytes {
		return fmt.Errorf("env is %d bytes in all, %d at most", size, MaxEnvironmentBytes)
	}
	return nil
}

// SameEnvironment reports whether an environment made for f can serve o: they
// differ at most in limits, timeout and description.
func (f *Function) SameEnvironment(o *Function) bool {
	return f.Name == o.Name && f.Version == o.Version && f.Runtime == o.Runtime && f.Handler == o.Handler && f.Code == o.Code && slices.Equal(f.Layers, o.Layers) &&
		f.MemoryMB == o.MemoryMB && f.EphemeralStorageMB == o.EphemeralStorageMB && f.Network == o.Network && f.Rules.Equal(o.Rules) && f.Logging == o.Logging && f.Role == o.Role &&
		f.PerEnvironmentConcurrency == o.PerEnvironmentConcurrency && maps.Equal(f.Environment, o.Environment)
}
