package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/hearthfn/hearth/warmpool/function/spelling"
	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// configFile says in a folder what cannot be guessed.
const configFile = "hearth.json"

// A config is the configuration of a function: hearth.json, and over it the flags.
type config struct {
	Name        string            `json:"name,omitempty"`
	Description string            `json:"description,omitempty"`
	Runtime     string            `json:"runtime,omitempty"`
	Handler     string            `json:"handler,omitempty"`
	Memory      int               `json:"memory,omitempty"`  // MB
	Timeout     int               `json:"timeout,omitempty"` // seconds
	Storage     int               `json:"ephemeral_storage,omitempty"`
	Env         map[string]string `json:"env,omitempty"`
	Layers      []string          `json:"layers,omitempty"`
	// URL: public (anybody may call it), iam (signed calls only), or none.
	URL string `json:"url,omitempty"`
	// Build: sources are built first.
	Build bool `json:"build,omitempty"`
	// Schema is for editors, and not read.
	Schema string `json:"$schema,omitempty"`
}

// readConfig reads hearth.json, if there is one.
func readConfig(dir string) (config, error) {
	var c config
	path := filepath.Join(dir, configFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return c, configError(path, text, err)
	}
	return c, nil
}

// configNames are the names of hearth.json.
var configNames = []string{"name", "description", "runtime", "handler", "memory", "timeout", "ephemeral_storage", "env", "layers", "url", "build"}

var unknownField = regexp.MustCompile(`unknown field "(.*)"`)

// configError says what is wrong with hearth.json, and in which line.
func configError(path string, text []byte, err error) error {
	at, says := len(text), err.Error()
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch found := unknownField.FindStringSubmatch(says); {
	case errors.As(err, &syntax):
		at = int(syntax.Offset)
	case errors.As(err, &kind):
		at = int(kind.Offset)
		wants := map[reflect.Kind]string{reflect.Int: "a whole number", reflect.String: "a text", reflect.Map: "an object of texts", reflect.Slice: "a list", reflect.Bool: "true or false"}[kind.Type.Kind()]
		says = fmt.Sprintf("%s takes %s, not a JSON %s", kind.Field, wants, kind.Value)
	case found != nil:
		at = max(bytes.Index(text, []byte(`"`+found[1]+`"`)), 0)
		says = fmt.Sprintf("there is no setting %s%s; there are %s", found[1], spelling.Meant(found[1], configNames), strings.Join(configNames, ", "))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		says = "it ends too early"
	}
	line := 1 + bytes.Count(text[:min(at, len(text))], []byte("\n"))
	return usage("%s:%d: %s", path, line, says)
}

// Runtimes that a folder is guessed to be for: the newest that Lambda has long had.
const (
	guessedNode   = "nodejs22.x"
	guessedPython = "python3.13"
	guessedJava   = "java21"
	guessedCustom = "provided.al2023"
)

// named fills in the name: that of the folder.
func (c *config) named(path string) error {
	if c.Name != "" {
		return nil
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	base := filepath.Base(absolute)
	c.Name = strings.TrimSuffix(strings.TrimSuffix(base, ".zip"), ".jar")
	return nil
}

// inherit fills in what the function has already. A guess does not count against it: a
// runtime that was chosen once must not change because a later deploy says nothing. But
// files of another language could not run on it.
func (c *config) inherit(path, runtime, handler string) error {
	if c.Runtime == "" {
		guessed, _ := guessEntry(path)
		if guessed != "" && !sameFamily(guessed, runtime) && !hasModule(path, runtime, handler) {
			return usage("%s: its files are for %s, and function %q has %s: give --runtime %s to change it, or --runtime %s to keep it", path, guessed, c.Name, runtime, guessed, runtime)
		}
		c.Runtime = runtime
	}
	if c.Handler == "" && sameFamily(c.Runtime, runtime) {
		c.Handler = handler
	}
	return c.guess(path)
}

// guess fills in the runtime and the handler from what is in the folder.
func (c *config) guess(path string) error {
	if c.Runtime != "" && c.Handler != "" {
		return nil
	}
	runtime, handler := guessEntry(path)
	if c.Runtime == "" {
		c.Runtime = runtime
	}
	if c.Handler == "" && sameFamily(c.Runtime, runtime) {
		c.Handler = handler
	}
	switch {
	case runtime == "" && builderOf(path) != nil && !c.Build:
		return usage("%s has sources in %s that must be built: give --build, or build them and deploy what that makes", path, builderOf(path).name)
	case c.Runtime == "":
		return usage("%s: which runtime it is for cannot be told from its files%s: give --runtime and --handler, or write them to %s", path, sourcesIn(path), configFile)
	case c.Handler == "" && strings.HasPrefix(c.Runtime, "provided"):
		c.Handler = "bootstrap"
	case c.Handler == "":
		return usage("%s: which handler it has cannot be told from its files: give --handler, or write it to %s", path, configFile)
	}
	return nil
}

// sourceHints are what to do with sources that nothing here runs as they are, by the end of the
// names of their files.
var sourceHints = map[string]string{
	".go":   "sources in Go, without a go.mod for --build: build them into a file bootstrap, and deploy its folder",
	".rs":   "sources in Rust: build them into a file bootstrap, and deploy its folder",
	".java": "sources in Java, without a pom.xml or build.gradle for --build: build a jar, and deploy that",
	".kt":   "sources in Kotlin, without a pom.xml or build.gradle for --build: build a jar, and deploy that",
	".cs":   "sources in C#: build them into a program bootstrap, and deploy its folder",
	".rb":   "sources in Ruby, which run as they are: --runtime ruby3.4 --handler FILE.METHOD",
}

// mostLooked bounds the search for sources.
const mostLooked = 1000

// sourcesIn says what sources a folder has, in parentheses; "" if nobody knows them.
func sourcesIn(dir string) (hint string) {
	looked := 0
	// Errors are no matter: it is only a hint.
	_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		looked++
		if err != nil || looked > mostLooked {
			return fs.SkipAll
		}
		if found := sourceHints[filepath.Ext(path)]; found != "" {
			hint = " (it has " + found + ")"
			return fs.SkipAll
		}
		return nil
	})
	return hint
}

func sameFamily(a, b string) bool {
	trim := func(s string) string { return strings.TrimRight(s, "0123456789.x") }
	return trim(a) == trim(b)
}

// An entry is a file that functions usually begin in.
type entry struct {
	file, runtime string
	handlers      *regexp.Regexp // what it calls its handler
}

var (
	inNode   = regexp.MustCompile(`(?m)(?:exports\.|export\s+(?:const|let|var|async\s+function|function)\s+|export\s*\{[^}]*\b)(handler|lambdaHandler|lambda_handler)\b`)
	inPython = regexp.MustCompile(`(?m)^(?:async\s+)?(?:def\s+)?(handler|lambda_handler)\b\s*[(=]`)
)

// entries are tried in order.
func entries() []entry {
	var all []entry
	for _, name := range []string{"index", "app", "lambda", "handler", "main"} {
		for _, extension := range []string{".mjs", ".js", ".cjs"} {
			all = append(all, entry{name + extension, guessedNode, inNode})
		}
	}
	for _, name := range []string{"lambda_function", "app", "main", "index", "handler", "lambda"} {
		all = append(all, entry{name + ".py", guessedPython, inPython})
	}
	return all
}

func guessEntry(path string) (runtime, handler string) {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		if strings.HasSuffix(path, ".jar") {
			return guessedJava, ""
		}
		return "", ""
	}
	if _, err := os.Stat(filepath.Join(path, "bootstrap")); err == nil {
		return guessedCustom, "bootstrap"
	}
	for _, e := range entries() {
		text, err := os.ReadFile(filepath.Join(path, e.file))
		if err != nil {
			continue
		}
		module := strings.TrimSuffix(e.file, filepath.Ext(e.file))
		if found := e.handlers.FindSubmatch(text); found != nil {
			return e.runtime, module + "." + string(found[1])
		}
		runtime = e.runtime // some other handler: the caller has to say
	}
	if jars, err := filepath.Glob(filepath.Join(path, "lib", "*.jar")); err == nil && len(jars) > 0 {
		return guessedJava, ""
	}
	return runtime, ""
}

// hasModule reports whether a folder has the file that a handler is in.
func hasModule(dir, runtime, handler string) bool {
	dot := strings.LastIndexByte(handler, '.')
	if dot < 0 {
		return false
	}
	var extensions []string
	switch {
	case sameFamily(runtime, guessedNode):
		extensions = []string{".mjs", ".js", ".cjs"}
	case sameFamily(runtime, guessedPython):
		extensions = []string{".py", "/__init__.py"}
	}
	module := handler[:dot]
	if sameFamily(runtime, guessedPython) {
		module = strings.ReplaceAll(module, ".", "/")
	}
	return slices.ContainsFunc(extensions, func(extension string) bool {
		_, err := os.Stat(filepath.Join(dir, module+extension))
		return err == nil
	})
}

// setEnv adds NAME=VALUE.
func (c *config) setEnv(pairs []string) error {
	c.Env = maps.Clone(c.Env)
	for _, pair := range pairs {
		name, value, found := strings.Cut(pair, "=")
		if !found || name == "" {
			return usage("--env %q is not NAME=VALUE", pair)
		}
		if c.Env == nil {
			c.Env = make(map[string]string)
		}
		c.Env[name] = value
	}
	return nil
}

// check refuses what no function can be.
func (c *config) check() error {
	if !slices.Contains([]string{"", "public", "iam", "none"}, c.URL) {
		return usage("url is public, iam or none, not %q", c.URL)
	}
	if c.Runtime != "" && !slices.Contains(runtimes.Supported(), c.Runtime) {
		if err := runtimes.CheckNames(c.Runtime, ""); err != nil {
			return usageError{err}
		}
	}
	if c.Memory < 0 || c.Timeout < 0 || c.Storage < 0 {
		return usage("memory, timeout and ephemeral storage are not negative")
	}
	return nil
}
