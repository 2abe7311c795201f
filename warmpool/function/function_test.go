package function

import (
	"maps"
	"strings"
	"testing"
	"time"
)

// valid is a function with nothing but what it must have.
func valid() *Function {
	return &Function{Name: "pets", Runtime: "nodejs22.x", Handler: "index.handler", Code: "/srv/pets"}
}

func ptr(n int) *int { return &n }

func TestNormalizePutsTheDefaultsIn(t *testing.T) {
	f := valid()
	if err := f.Normalize(); err != nil {
		t.Fatal(err)
	}
	if f.MemoryMB != 128 || f.Timeout != 3*time.Second || f.EphemeralStorageMB != 512 || f.Network != "" ||
		f.PerEnvironmentConcurrency != 1 || f.QueueTimeout != 0 || f.ReservedConcurrency != nil || f.ProvisionedConcurrency != 0 {
		t.Errorf("got %+v", f)
	}
	once := *f
	if err := f.Normalize(); err != nil || !once.SameEnvironment(f) || once.Timeout != f.Timeout || once.QueueTimeout != f.QueueTimeout {
		t.Errorf("a second time changes %+v to %+v, %v", once, f, err)
	}
}

func TestNormalizeAcceptsEachLimit(t *testing.T) {
	for name, change := range map[string]func(*Function){
		"name":                        func(f *Function) { f.Name = strings.Repeat("a", 64) },
		"name of all kinds":           func(f *Function) { f.Name = "-_aZ09" },
		"handler":                     func(f *Function) { f.Handler = strings.Repeat("h", 128) },
		"description":                 func(f *Function) { f.Description = strings.Repeat("é", 256) },
		"least memory":                func(f *Function) { f.MemoryMB = 128 },
		"most memory":                 func(f *Function) { f.MemoryMB = 32768 },
		"least timeout":               func(f *Function) { f.Timeout = time.Second },
		"most timeout":                func(f *Function) { f.Timeout = 15 * time.Minute },
		"most storage":                func(f *Function) { f.EphemeralStorageMB = 10240 },
		"no network":                  func(f *Function) { f.Network = NetworkNone },
		"most concurrency":            func(f *Function) { f.PerEnvironmentConcurrency = 1600 },
		"turned off":                  func(f *Function) { f.ReservedConcurrency = ptr(0) },
		"as much provisioned as kept": func(f *Function) { f.ReservedConcurrency, f.ProvisionedConcurrency = ptr(2), 2 },
		"provisioned, not reserved":   func(f *Function) { f.ProvisionedConcurrency = 2 },
		"not waiting":                 func(f *Function) { f.QueueTimeout = -1 },
		"env":                         func(f *Function) { f.Environment = map[string]string{"AB": strings.Repeat("x", 4094)} },
		"env of AWS that is free":     func(f *Function) { f.Environment = map[string]string{"AWS_LAMBDA_EXEC_WRAPPER": "/opt/w", "TZ": "UTC"} },
	} {
		f := valid()
		change(f)
		want := *f
		if err := f.Normalize(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if want.QueueTimeout != 0 && f.QueueTimeout != want.QueueTimeout {
			t.Errorf("%s: queue timeout became %s", name, f.QueueTimeout)
		}
	}
}

func TestNormalizeRefusesWhatIsOverALimitAndNamesIt(t *testing.T) {
	const names = `1 to 64 letters, digits, hyphens and underscores are allowed`
	for _, test := range []struct {
		change func(*Function)
		want   string
	}{
		{func(f *Function) { f.Name = "" }, `function name "": ` + names},
		{func(f *Function) { f.Name = "a.b" }, `function name "a.b": ` + names},
		{func(f *Function) { f.Name = "a\n" }, `function name "a\n": ` + names},
		{func(f *Function) { f.Name = strings.Repeat("a", 65) }, `function name "` + strings.Repeat("a", 65) + `": ` + names},
		{func(f *Function) { f.Runtime = "" }, `function "pets": runtime is missing, e.g. nodejs22.x or python3.13`},
		{func(f *Function) { f.Handler = "" }, `function "pets": handler is missing, e.g. index.handler`},
		{func(f *Function) { f.Handler = "a b" }, `function "pets": handler "a b": at most 128 characters without spaces`},
		{func(f *Function) { f.Handler = strings.Repeat("h", 129) }, `function "pets": handler "` + strings.Repeat("h", 129) + `": at most 128 characters without spaces`},
		{func(f *Function) { f.Code = "" }, `function "pets": code is missing: the folder that holds the function's code`},
		{func(f *Function) { f.Description = strings.Repeat("é", 257) }, `function "pets": description is over 256 characters`},
		{func(f *Function) { f.MemoryMB = 127 }, `function "pets": memory 127 MB: 128 to 32768 are allowed`},
		{func(f *Function) { f.MemoryMB = 32769 }, `function "pets": memory 32769 MB: 128 to 32768 are allowed`},
		{func(f *Function) { f.MemoryMB = -1 }, `function "pets": memory -1 MB: 128 to 32768 are allowed`},
		{func(f *Function) { f.Timeout = 999 * time.Millisecond }, `function "pets": timeout 999ms: 1s to 1h30m0s are allowed`},
		{func(f *Function) { f.Timeout = 5401 * time.Second }, `function "pets": timeout 1h30m1s: 1s to 1h30m0s are allowed`},
		{func(f *Function) { f.EphemeralStorageMB = 511 }, `function "pets": ephemeral_storage 511 MB: 512 to 10240 are allowed`},
		{func(f *Function) { f.EphemeralStorageMB = 10241 }, `function "pets": ephemeral_storage 10241 MB: 512 to 10240 are allowed`},
		{func(f *Function) { f.Network = "lan" }, `function "pets": network "lan": private, host or none`},
		{func(f *Function) { f.PerEnvironmentConcurrency = -1 }, `function "pets": per_environment_concurrency -1: 1 to 1600 are allowed`},
		{func(f *Function) { f.PerEnvironmentConcurrency = 1601 }, `function "pets": per_environment_concurrency 1601: 1 to 1600 are allowed`},
		{func(f *Function) { f.ReservedConcurrency = ptr(-1) }, `function "pets": reserved_concurrency -1: 0 or more`},
		{func(f *Function) { f.ProvisionedConcurrency = -1 }, `function "pets": provisioned_concurrency -1: 0 or more`},
		{func(f *Function) { f.ReservedConcurrency, f.ProvisionedConcurrency = ptr(1), 2 }, `function "pets": provisioned_concurrency 2 is more than reserved_concurrency 1`},
		{env("1A", ""), `function "pets": env "1A": a name starts with a letter and has at least two letters, digits or underscores`},
		{env("A", ""), `function "pets": env "A": a name starts with a letter and has at least two letters, digits or underscores`},
		{env("A-B", ""), `function "pets": env "A-B": a name starts with a letter and has at least two letters, digits or underscores`},
		{env("AB=C", ""), `function "pets": env "AB=C": a name starts with a letter and has at least two letters, digits or underscores`},
		{env("AB", "a\x00b"), `function "pets": env AB holds a NUL byte`},
		{env("AB", strings.Repeat("x", 4095)), `function "pets": env is 4097 bytes in all, 4096 at most`},
	} {
		f := valid()
		test.change(f)
		if err := f.Normalize(); err == nil || err.Error() != test.want {
			t.Errorf("got  %v\nwant %s", err, test.want)
		}
	}
}

func env(name, value string) func(*Function) {
	return func(f *Function) { f.Environment = map[string]string{name: value} }
}

// The list of
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
// that says "reserved". Those that begin with an underscore are no names to
// begin with.
func TestNormalizeRefusesTheVariablesThatLambdaSets(t *testing.T) {
	for _, name := range []string{
		"AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
		"AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
		"AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
	} {
		f := valid()
		f.Environment = map[string]string{name: "x"}
		want := `function "pets": env ` + name + ` is reserved: Lambda sets it`
		if err := f.Normalize(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for _, name := range []string{"_HANDLER", "_X_AMZN_TRACE_ID"} {
		f := valid()
		f.Environment = map[string]string{name: "x"}
		if err := f.Normalize(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestEnvironmentServesAFunctionThatDiffersInLimitsOnly(t *testing.T) {
	for name, change := range map[string]func(*Function){
		"description": func(f *Function) { f.Description = "other" },
		"timeout":     func(f *Function) { f.Timeout = 9 * time.Second },
		"reserved":    func(f *Function) { f.ReservedConcurrency = ptr(3) },
		"provisioned": func(f *Function) { f.ProvisionedConcurrency = 3 },
		"waiting":     func(f *Function) { f.QueueTimeout = -1 },
	} {
		if f, o := pair(t, change); !f.SameEnvironment(o) || !o.SameEnvironment(f) {
			t.Errorf("another %s needs another environment", name)
		}
	}
	for name, change := range map[string]func(*Function){
		"name":        func(f *Function) { f.Name = "other" },
		"runtime":     func(f *Function) { f.Runtime = "nodejs24.x" },
		"handler":     func(f *Function) { f.Handler = "index.other" },
		"code":        func(f *Function) { f.Code = "/srv/other" },
		"memory":      func(f *Function) { f.MemoryMB = 256 },
		"storage":     func(f *Function) { f.EphemeralStorageMB = 1024 },
		"network":     func(f *Function) { f.Network = NetworkNone },
		"concurrency": func(f *Function) { f.PerEnvironmentConcurrency = 2 },
		"value":       func(f *Function) { f.Environment["TABLE"] = "other" },
		"variable":    func(f *Function) { f.Environment["OTHER"] = "" },
	} {
		if f, o := pair(t, change); f.SameEnvironment(o) || o.SameEnvironment(f) {
			t.Errorf("another %s is served by the same environment", name)
		}
	}
	f, o := valid(), valid()
	o.Environment = map[string]string{}
	if !f.SameEnvironment(o) {
		t.Error("no variables and none at all are not the same")
	}
}

// pair is two functions, the second changed.
func pair(t *testing.T, change func(*Function)) (f, o *Function) {
	t.Helper()
	f = valid()
	f.Environment = map[string]string{"TABLE": "pets"}
	other := *f
	other.Environment = maps.Clone(f.Environment)
	change(&other)
	for _, each := range []*Function{f, &other} {
		if err := each.Normalize(); err != nil {
			t.Fatal(err)
		}
	}
	return f, &other
}

func TestLogGroupIsNamedAsOnLambda(t *testing.T) {
	if got := valid().LogGroup(); got != "/aws/lambda/pets" {
		t.Errorf("got %s", got)
	}
}
