package runtimes

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hearthfn/hearth/warmpool/function/spelling"
	"github.com/hearthfn/hearth/warmpool/runtimes/java"
	"github.com/hearthfn/hearth/warmpool/runtimes/nodejs"
	"github.com/hearthfn/hearth/warmpool/runtimes/python"
	"github.com/hearthfn/hearth/warmpool/runtimes/ruby"
)

// Families of built-in runtimes.
const (
	FamilyNode   = "nodejs"
	FamilyPython = "python"
	FamilyJava   = "java"
	FamilyRuby   = "ruby"
	FamilyCustom = "provided" // the function brings its own program
)

// A family is what runtimes of one language have in common.
type family struct {
	id      string
	name    string   // for people
	program string   // its name, without a version
	says    []string // one of them before the version, when asked for it
	oldest  version  // that the bootstrap runs on
	debian  string   // package
	files   func() map[string][]byte
	sdk     string // where the AWS SDK is shown, beside the bootstrap
}

var families = map[string]family{
	FamilyNode: {
		id: FamilyNode, name: "Node.js", program: "node", says: []string{"v"}, oldest: version{18, 0},
		debian: "nodejs", files: nodejs.Files, sdk: "node_modules",
	},
	FamilyPython: {
		id: FamilyPython, name: "Python", program: "python3", says: []string{"Python "}, oldest: version{3, 9},
		debian: "python3", files: python.Files, sdk: "site-packages",
	},
	FamilyJava: {
		id: FamilyJava, name: "Java", program: "java", says: []string{"openjdk ", "java "}, oldest: version{11, 0},
		debian: "default-jre-headless", files: java.Files,
	},
	FamilyRuby: {
		id: FamilyRuby, name: "Ruby", program: "ruby", says: []string{"ruby "}, oldest: version{3, 0},
		debian: "ruby", files: ruby.Files,
	},
}

// isProgram reports whether a file in a bin folder has the family's name, with
// or without a version: python3.11, but not python3-config.
func (f family) isProgram(base string) bool {
	rest, ok := strings.CutPrefix(base, f.program)
	return ok && strings.Trim(rest, ".0123456789") == ""
}

// supported are Lambda's names of the runtimes that are served, previews and those
// that still run among them.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
var supported = []string{
	"nodejs16.x", "nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x", "nodejs26.x",
	"python3.8", "python3.9", "python3.10", "python3.11", "python3.12", "python3.13", "python3.14", "python3.15",
	"java8.al2", "java8.al2023", "java11", "java11.al2023", "java17", "java17.al2023", "java21", "java25",
	"ruby3.2", "ruby3.3", "ruby3.4", "ruby4.0",
	"provided.al2", "provided.al2023",
}

// remedies say what to do about runtimes that are not served, by how their names begin.
var remedies = []struct{ prefix, remedy string }{
	{"dotnet", "publish the function as a program of its own named bootstrap, with Amazon.Lambda.RuntimeSupport, for the runtime provided.al2023"},
	{"go1.x", "build the function with aws-lambda-go as a program named bootstrap, for the runtime provided.al2023"},
}

// meant asks for the runtime that a misspelt name means. Another version is no misspelling.
func meant(runtime string) string {
	letters := func(name string) string {
		return strings.Trim(strings.Map(func(r rune) rune {
			if '0' <= r && r <= '9' {
				return -1
			}
			return r
		}, name), " ")
	}
	if nearest := spelling.Nearest(runtime, supported); letters(nearest) == letters(runtime) {
		return ""
	}
	return spelling.Meant(runtime, supported)
}

// Supported are Lambda's names of the runtimes that are served.
func Supported() []string { return slices.Clone(supported) }

// CheckNames reports errors of the names of a runtime and of a handler: an unknown runtime, or a
// handler without the function of its module. It does not look for an interpreter.
func CheckNames(runtime, handler string) error {
	w, err := parseRuntime(runtime)
	if err != nil {
		return err
	}
	if example := map[string]string{FamilyNode: "index.handler", FamilyPython: "app.handler", FamilyRuby: "app.handler"}[w.family]; example != "" && !strings.Contains(handler, ".") {
		return fmt.Errorf("handler %q names a module and no function in it: write MODULE.FUNCTION, such as %s", handler, example)
	}
	return nil
}

// A wanted is what the name of a runtime asks for.
type wanted struct {
	family string
	version
}

// parseRuntime reads the name of a runtime. The error says whether AWS has the runtime and only
// Hearth lacks it.
func parseRuntime(runtime string) (wanted, error) {
	if !slices.Contains(supported, runtime) {
		for _, r := range remedies {
			if strings.HasPrefix(runtime, r.prefix) {
				return wanted{}, fmt.Errorf("runtime %q is not supported: %s", runtime, r.remedy)
			}
		}
		problem := "is not one of Lambda's"
		for _, prefix := range []string{FamilyJava, FamilyCustom, FamilyRuby, FamilyNode, FamilyPython} {
			if strings.HasPrefix(runtime, prefix) {
				problem = "is not supported"
			}
		}
		return wanted{}, fmt.Errorf("runtime %q %s%s; supported are %s", runtime, problem, meant(runtime), strings.Join(supported, ", "))
	}
	if rest, ok := strings.CutPrefix(runtime, FamilyJava); ok {
		rest, _, _ = strings.Cut(rest, ".") // which Amazon Linux
		major, err := strconv.Atoi(rest)
		return wanted{FamilyJava, version{major, 0}}, err
	}
	if strings.HasPrefix(runtime, FamilyCustom) {
		return wanted{family: FamilyCustom}, nil
	}
	if rest, ok := strings.CutPrefix(runtime, FamilyNode); ok {
		major, err := strconv.Atoi(strings.TrimSuffix(rest, ".x"))
		return wanted{FamilyNode, version{major, 0}}, err
	}
	name := FamilyPython
	if strings.HasPrefix(runtime, FamilyRuby) {
		name = FamilyRuby
	}
	v, _ := parseVersion(strings.TrimPrefix(runtime, name))
	return wanted{name, v}, nil
}

// Named is the family of a runtime, and the version of the interpreter in its name, as it is
// written: "22", "3.13". The error says that Hearth does not run on that version.
func Named(runtime string) (family, version string, err error) {
	want, err := parseRuntime(runtime)
	if err != nil {
		return "", "", err
	}
	if want.family == FamilyCustom {
		return "", "", fmt.Errorf("runtime %s needs no interpreter: its functions bring their own program", runtime)
	}
	f := families[want.family]
	version = strconv.Itoa(want.major)
	if want.minor > 0 || want.family == FamilyPython || want.family == FamilyRuby {
		version = want.version.String()
	}
	if want.version.less(f.oldest) {
		return "", "", fmt.Errorf("runtime %s is served by the nearest version: Hearth needs %s %s or later", runtime, f.name, f.oldest)
	}
	return want.family, version, nil
}

// distance says how far a version is from the wanted one. 0 means that it fits the name of the
// runtime. Of two versions that are equally far the newer one is nearer.
func (w wanted) distance(s string) int {
	v, ok := parseVersion(s)
	if !ok {
		return 1 << 20
	}
	d := v.major - w.major
	if w.family == FamilyPython || w.family == FamilyRuby {
		d = (v.major-w.major)*100 + v.minor - w.minor
	}
	if d < 0 {
		return -2*d + 1
	}
	return 2 * d
}

// WriteBootstraps writes the bootstrap of every family below dir, in a folder named after
// it. It leaves an equal bootstrap as it is.
func WriteBootstraps(dir string) error {
	for name, f := range families {
		folder := filepath.Join(dir, name)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		// Whatever the umask: environments run as another user.
		if err := os.Chmod(folder, 0o755); err != nil {
			return err
		}
		if f.sdk != "" {
			if err := os.MkdirAll(filepath.Join(folder, f.sdk), 0o755); err != nil {
				return err
			}
			if err := os.Chmod(filepath.Join(folder, f.sdk), 0o755); err != nil {
				return err
			}
		}
		for file, data := range f.files() {
			if err := writeFile(filepath.Join(folder, file), data); err != nil {
				return err
			}
		}
	}
	return writeAuthorities(filepath.Join(dir, FamilyNode))
}

// SDKTarget is where the SDK of in is shown, below the folder of the bootstrap; "" for a
// runtime that has none.
func SDKTarget(in Interpreter) string { return families[in.Family].sdk }

// writeFile replaces a file in one step: an older gateway on the same directory
// may be starting environments from it.
func writeFile(path string, data []byte) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == string(data) {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails when it has been renamed
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Precompile compiles the bootstrap that WriteBootstraps wrote below dir for in, so
// that environments start in two thirds of the time. It returns at once when that
// has been done, or when in would gain nothing by it.
func Precompile(ctx context.Context, in Interpreter, dir string) error {
	if in.Family != FamilyPython {
		return nil
	}
	return python.Compile(ctx, in.Path, in.Version, filepath.Join(dir, FamilyPython))
}

// BytecodeFor tells how the code below root is compiled for in, by a command that writes it to
// descriptor 3, for python.ReadBytecode, and for what kind of interpreter it is. ok is false for
// one that compiles nothing ahead.
func BytecodeFor(in Interpreter, runtimeDir, root string) (command []string, kind string, ok bool) {
	v, known := parseVersion(in.Version)
	if in.Family != FamilyPython || !known {
		return nil, "", false
	}
	return append([]string{in.Path}, python.CompileArgs(runtimeDir, root)...), fmt.Sprintf("cpython-%d%d", v.major, v.minor), true
}

// ArchiveFor tells how the class-data archive for a Java is made, by a command that
// writes it to descriptor 3, and its name beside the bootstrap; ok is false for what
// has none.
func ArchiveFor(in Interpreter, runtimeDir string) (command []string, name string, ok bool) {
	if v, known := parseVersion(in.Version); in.Family != FamilyJava || !known || v.major < 13 {
		return nil, "", false
	}
	return java.ArchiveCommand(in.Path, runtimeDir), java.Archive(in.Version), true
}

// Command returns the arguments of in, and the variables of the function that must exist when
// the process starts. All variables come with the init frame as well. So a process that is
// started without them can become the process of any function: it is a stem. The wrapper of a
// function is the first argument.
func Command(in Interpreter, runtimeDir string, memoryMB int, variables map[string]string, stem bool) (args, env []string) {
	switch in.Family {
	case FamilyNode:
		args = append([]string{in.Path}, nodejs.Args(runtimeDir, majorOf(in), memoryMB, stem)...)
	case FamilyPython:
		args = append([]string{in.Path}, python.Args(runtimeDir, wantsSite(variables, runtimeDir))...)
	case FamilyJava:
		args = slices.Concat([]string{in.Path}, country(variables), java.Args(runtimeDir, memoryMB, in.Version, stem))
		if stem {
			// See package java on the working directory.
			args = append([]string{"/bin/sh", "-c", `cd / && exec "$@"`, "sh"}, args...)
		}
	case FamilyRuby:
		args = append([]string{in.Path}, ruby.Args(runtimeDir)...)
	default:
		panic("runtimes: no command for family " + in.Family)
	}
	if wrapper := variables[execWrapper]; wrapper != "" && !stem {
		args = wrapped(wrapper, args)
	}
	for name, value := range variables {
		if early(name) {
			env = append(env, name+"="+value)
		}
	}
	slices.Sort(env)
	return args, env
}

// NeedsEarly reports whether one of the variables must exist when the process starts. Then no
// process that was booted before can become the function's process.
func NeedsEarly(variables map[string]string) bool {
	for name := range variables {
		if early(name) {
			return true
		}
	}
	return false
}

// FixesMemory reports whether a process of in is bound to the function's memory
// setting when it starts.
func FixesMemory(in Interpreter) bool { return in.Family == FamilyNode || in.Family == FamilyJava }

// early reports whether a variable only works if it is set when the process starts.
func early(name string) bool {
	switch name {
	case "PATH", "LANG", "TZ", "UV_THREADPOOL_SIZE", "GLIBC_TUNABLES", "SSL_CERT_FILE", "SSL_CERT_DIR", execWrapper:
		return true
	}
	for _, prefix := range []string{"NODE_", "PYTHON", "JAVA_", "JDK_JAVA_", "LD_", "LC_", "MALLOC_", "OPENSSL_", "RUBY"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
