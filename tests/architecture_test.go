package tests

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/hearthfn/hearth"

// floors is the house from the roof down: a package may import its own floor and
// those below. A package that is not named stands on the floor of its nearest parent.
var floors = [][]string{
	{"tests"},
	{"examples"},
	{"caddymodule"},
	{"caddymodule/cli", "caddymodule/console"},
	{"caddymodule/engine"},
	{"caddymodule/engine/services"},
	{"caddymodule/awsapi/cloudformation"},
	{"caddymodule/stack"},
	{"caddymodule/stack/transform"},
	{"caddymodule/stack/template"},
	{"caddymodule/socket"},
	{"caddymodule/awsapi/lambda", "caddymodule/awsapi/logs", "caddymodule/awsapi/apigatewayv2", "caddymodule/awsapi/apigatewayv1"},
	{"caddymodule/awsapi", "caddymodule/apigateway"},
	{"invoker"},
	{"invoker/push", "invoker/pull", "invoker/schedule"},
	{"invoker/pattern", "invoker/bus", "caddymodule/awsapi/policy"},
	{"warmpool/cluster", "warmpool/launch"},
	{"warmpool"},
	{"warmpool/environment", "warmpool/quota"},
	{"warmpool/runtimes", "warmpool/sandbox", "warmpool/logs"},
	{"warmpool/code"},
	{"warmpool/function/registry"},
	{"warmpool/function", "warmpool/state"},
	{"warmpool/disk", "warmpool/trace", "warmpool/bodies", "warmpool/flood", "warmpool/backoff", "warmpool/timeseries"},
}

// reservation keeps something for the few packages that are about it.
type reservation struct {
	prefix string   // of the import path
	only   []string // folders that may import it; a trailing /... takes those inside too
	why    string
	// through also refuses a package that only reaches it by way of others.
	through bool
}

var reservations = []reservation{
	{
		prefix: "github.com/caddyserver/caddy", only: []string{"caddymodule", "tests/..."},
		why: "only caddymodule imports Caddy", through: true,
	},
	{
		prefix: "github.com/redis/go-redis", only: []string{"warmpool/state/...", "invoker/pull", "tests/..."},
		why: "only warmpool/state keeps something in Redis; pollers read what users keep there",
	},
	{
		prefix: "go.etcd.io/bbolt", only: []string{"warmpool/state/...", "tests/..."},
		why: "only warmpool/state opens a database",
	},
}

// pure are the packages that turn bytes into values: they start and reach nothing.
var pure = []string{"caddymodule/stack/template", "caddymodule/stack/transform", "caddymodule/apigateway", "caddymodule/apigateway/gateway", "caddymodule/apigateway/vtl", "caddymodule/apigateway/openapi", "caddymodule/apigateway/schema", "invoker/push", "invoker/pattern", "invoker/bus", "caddymodule/awsapi/policy"}

var impure = []string{"os/exec", "github.com/caddyserver/caddy"}

// listed is what `go list -json` says of one package.
type listed struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Deps         []string
}

func TestImportsGoDownTheHouse(t *testing.T) {
	packages := ourPackages(t)
	if len(packages) < 2 {
		t.Fatalf("go list names %d packages of %s; the test looks at nothing", len(packages), module)
	}
	for _, violation := range violations(packages) {
		t.Error(violation)
	}
}

func TestForbiddenImportsAreSeen(t *testing.T) {
	our := func(folder string) string { return module + "/" + folder }
	tests := []struct {
		name string
		pkg  listed
		want string
	}{
		{
			"the pool knows the invoker",
			listed{ImportPath: our("warmpool"), Imports: []string{our("invoker")}},
			"warmpool imports invoker: imports go down",
		},
		{
			"a source knows the queue above it",
			listed{ImportPath: our("invoker/push"), Imports: []string{our("invoker")}},
			"invoker/push imports invoker: imports go down",
		},
		{
			"the vocabulary knows the archives",
			listed{ImportPath: our("warmpool/function"), Imports: []string{our("warmpool/code")}},
			"warmpool/function imports warmpool/code: imports go down",
		},
		{
			"a package inside another stands on its floor",
			listed{ImportPath: our("warmpool/state/statetest"), Imports: []string{our("warmpool/logs")}},
			"warmpool/state/statetest imports warmpool/logs: imports go down",
		},
		{
			"the vocabulary knows the registry",
			listed{ImportPath: our("warmpool/function"), Imports: []string{our("warmpool/function/registry")}},
			"warmpool/function imports warmpool/function/registry: imports go down",
		},
		{
			"a test looks up",
			listed{ImportPath: our("warmpool/sandbox"), XTestImports: []string{our("warmpool/environment")}},
			"warmpool/sandbox imports warmpool/environment: imports go down",
		},
		{
			"somebody needs the black-box tests",
			listed{ImportPath: our("caddymodule"), TestImports: []string{our("tests")}},
			"caddymodule imports tests: imports go down",
		},
		{
			"Caddy in the engine",
			listed{ImportPath: our("invoker"), Imports: []string{"github.com/caddyserver/caddy/v2"}},
			"invoker imports github.com/caddyserver/caddy/v2: only caddymodule imports Caddy",
		},
		{
			"Caddy beside caddymodule",
			listed{ImportPath: our("caddymodule/awsapi"), Imports: []string{"github.com/caddyserver/caddy/v2/modules/caddyhttp"}},
			"caddymodule/awsapi imports github.com/caddyserver/caddy/v2/modules/caddyhttp: only caddymodule imports Caddy",
		},
		{
			"Caddy through somebody else",
			listed{ImportPath: our("warmpool/logs"), Deps: []string{"github.com/caddyserver/caddy/v2"}},
			"warmpool/logs imports github.com/caddyserver/caddy/v2: only caddymodule imports Caddy",
		},
		{
			"Caddy in the engine of caddymodule, by way of somebody else",
			listed{ImportPath: our("caddymodule/engine"), Deps: []string{"github.com/caddyserver/caddy/v2"}},
			"caddymodule/engine imports github.com/caddyserver/caddy/v2: only caddymodule imports Caddy",
		},
		{
			"the engine knows its face",
			listed{ImportPath: our("caddymodule/engine"), Imports: []string{our("caddymodule")}},
			"caddymodule/engine imports caddymodule: imports go down",
		},
		{
			"an API knows the engine",
			listed{ImportPath: our("caddymodule/awsapi"), Imports: []string{our("caddymodule/engine")}},
			"caddymodule/awsapi imports caddymodule/engine: imports go down",
		},
		{
			"Redis in the pool",
			listed{ImportPath: our("warmpool"), Imports: []string{"github.com/redis/go-redis/v9"}},
			"warmpool imports github.com/redis/go-redis/v9: only warmpool/state keeps something in Redis; pollers read what users keep there",
		},
		{
			"a database in the invoker's tests",
			listed{ImportPath: our("invoker"), TestImports: []string{"go.etcd.io/bbolt"}},
			"invoker imports go.etcd.io/bbolt: only warmpool/state opens a database",
		},
		{
			"a codec starts a process, by way of somebody else",
			listed{ImportPath: our("caddymodule/apigateway"), Deps: []string{"os/exec"}},
			"caddymodule/apigateway reaches os/exec: it is pure",
		},
		{
			"a folder outside the plan",
			listed{ImportPath: our("util")},
			"util is on no floor of the house: add it to floors, or move it",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := violations([]listed{test.pkg})
			if !slices.Equal(got, []string{test.want}) {
				t.Errorf("violations = %q, want %q", got, test.want)
			}
		})
	}
}

func TestAllowedImportsPass(t *testing.T) {
	our := func(folder string) string { return module + "/" + folder }
	allowed := []listed{
		{ImportPath: our("caddymodule"), Imports: []string{
			"github.com/caddyserver/caddy/v2", our("invoker"), our("warmpool/function"),
		}, Deps: []string{"github.com/caddyserver/caddy/v2", "os/exec"}},
		{ImportPath: our("warmpool/state"), Imports: []string{"go.etcd.io/bbolt", "github.com/redis/go-redis/v9"}},
		{ImportPath: our("warmpool/function/registry"), Imports: []string{our("warmpool/function"), our("warmpool/state")}},
		{ImportPath: our("tests/bench"), Imports: []string{"os/exec", "go.etcd.io/bbolt"}},
		// Names that only begin like a reserved or a pure one.
		{ImportPath: our("invoker"), Imports: []string{"github.com/caddyserver/caddyshack"}},
	}
	if got := violations(allowed); len(got) != 0 {
		t.Errorf("violations = %q, want none", got)
	}
}

// violations names every import of packages that the house rules forbid.
func violations(packages []listed) []string {
	var found []string
	for _, p := range packages {
		folder := folderOf(p.ImportPath)
		floor := floorOf(folder)
		if floor < 0 {
			found = append(found, folder+" is on no floor of the house: add it to floors, or move it")
			continue
		}
		imports := slices.Concat(p.Imports, p.TestImports, p.XTestImports)
		slices.Sort(imports)
		for _, path := range slices.Compact(imports) {
			if inside(path, module) && floorOf(folderOf(path)) < floor {
				found = append(found, fmt.Sprintf("%s imports %s: imports go down", folder, folderOf(path)))
			}
		}
		found = append(found, reserved(folder, imports, p.Deps)...)
		if slices.Contains(pure, folder) {
			for _, path := range reach(slices.Concat(p.Imports, p.Deps), impure...) {
				found = append(found, fmt.Sprintf("%s reaches %s: it is pure", folder, path))
			}
		}
	}
	return found
}

func reserved(folder string, imports, deps []string) []string {
	var found []string
	for _, r := range reservations {
		if slices.ContainsFunc(r.only, func(pattern string) bool { return matches(folder, pattern) }) {
			continue
		}
		seen := imports
		if r.through {
			seen = slices.Concat(imports, deps)
		}
		for _, path := range reach(seen, r.prefix) {
			found = append(found, fmt.Sprintf("%s imports %s: %s", folder, path, r.why))
		}
	}
	return found
}

// reach returns those of paths that are inside one of prefixes, each once.
func reach(paths []string, prefixes ...string) []string {
	var found []string
	for _, path := range paths {
		if slices.ContainsFunc(prefixes, func(prefix string) bool { return inside(path, prefix) }) {
			found = append(found, path)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// floorOf returns the index in floors of folder or of its nearest parent, -1 if none.
func floorOf(folder string) int {
	best, longest := -1, 0
	for i, floor := range floors {
		for _, named := range floor {
			if inside(folder, named) && len(named) > longest {
				best, longest = i, len(named)
			}
		}
	}
	return best
}

func folderOf(importPath string) string {
	return strings.TrimPrefix(strings.TrimPrefix(importPath, module), "/")
}

// inside says whether path is root or something in it: a/b is inside a, ab is not.
func inside(path, root string) bool {
	return path == root || strings.HasPrefix(path, root+"/")
}

func matches(folder, pattern string) bool {
	if root, ok := strings.CutSuffix(pattern, "/..."); ok {
		return inside(folder, root)
	}
	return folder == pattern
}

// ourPackages asks the go command, so that build tags and embedded test packages count
// as they do in a build.
func ourPackages(t *testing.T) []listed {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", "-json=ImportPath,Imports,TestImports,XTestImports,Deps", "./...")
	command.Dir = ".."
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}

	var packages []listed
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatalf("reading the answer of go list: %v", err)
		}
		if inside(p.ImportPath, module) {
			packages = append(packages, p)
		}
	}
}
