package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// folder makes a folder of files by their texts.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestRuntimeAndHandlerAreGuessedFromTheFiles(t *testing.T) {
	for name, test := range map[string]struct {
		files            map[string]string
		given            config
		runtime, handler string
		code             int
	}{
		"CommonJS":             {files: map[string]string{"index.js": "exports.handler = async () => 1"}, runtime: "nodejs22.x", handler: "index.handler"},
		"module.exports":       {files: map[string]string{"app.cjs": "module.exports.lambdaHandler = f"}, runtime: "nodejs22.x", handler: "app.lambdaHandler"},
		"ES module":            {files: map[string]string{"index.mjs": "export const handler = async () => 1"}, runtime: "nodejs22.x", handler: "index.handler"},
		"ES list":              {files: map[string]string{"index.mjs": "export { helper, handler }"}, runtime: "nodejs22.x", handler: "index.handler"},
		"Python":               {files: map[string]string{"lambda_function.py": "import json\ndef lambda_handler(event, context):\n  pass"}, runtime: "python3.13", handler: "lambda_function.lambda_handler"},
		"Python, decorated":    {files: map[string]string{"app.py": "handler = Mangum(app)"}, runtime: "python3.13", handler: "app.handler"},
		"a program":            {files: map[string]string{"bootstrap": "", "index.js": "exports.handler = 1"}, runtime: "provided.al2023", handler: "bootstrap"},
		"an older runtime":     {files: map[string]string{"index.js": "exports.handler = 1"}, given: config{Runtime: "nodejs18.x"}, runtime: "nodejs18.x", handler: "index.handler"},
		"an older system":      {files: map[string]string{"bootstrap": ""}, given: config{Runtime: "provided.al2"}, runtime: "provided.al2", handler: "bootstrap"},
		"another family":       {files: map[string]string{"index.js": "exports.handler = 1"}, given: config{Runtime: "python3.12"}, code: ExitUsage},
		"a handler of its own": {files: map[string]string{"index.js": "exports.run = 1"}, code: ExitUsage},
		"a handler, given":     {files: map[string]string{"index.js": "exports.run = 1"}, given: config{Handler: "index.run"}, runtime: "nodejs22.x", handler: "index.run"},
		"Java":                 {files: map[string]string{"lib/f.jar": ""}, given: config{Handler: "a.B::c"}, runtime: "java21", handler: "a.B::c"},
		"Java, no handler":     {files: map[string]string{"lib/f.jar": ""}, code: ExitUsage},
		"nothing that is code": {files: map[string]string{"README": ""}, code: ExitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			c := test.given
			err := c.guess(folder(t, test.files))
			if code := ExitCode(err); code != test.code {
				t.Fatalf("%v: exit code %d, want %d", err, code, test.code)
			}
			if err == nil && (c.Runtime != test.runtime || c.Handler != test.handler) {
				t.Errorf("guessed %s, %s; want %s, %s", c.Runtime, c.Handler, test.runtime, test.handler)
			}
		})
	}
}

// A second deploy without flags must not move a function to another runtime.
func TestSourcesThatMustBeBuiltAreNamed(t *testing.T) {
	for file, want := range map[string]string{
		"main.go": "sources in Go", "src/main.rs": "sources in Rust", "example/Hello.java": "build a jar", "Function.cs": "program bootstrap", "app.rb": "--runtime ruby3.4",
	} {
		err := new(config).guess(folder(t, map[string]string{"README.md": "", file: ""}))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", file, err, want)
		}
	}
}

func TestFunctionKeepsTheRuntimeThatItHas(t *testing.T) {
	dir := folder(t, map[string]string{"index.js": "exports.handler = 1"})
	for name, test := range map[string]struct {
		given, want config
	}{
		"nothing given":     {config{}, config{Runtime: "nodejs20.x", Handler: "index.main"}},
		"a handler":         {config{Handler: "index.handler"}, config{Runtime: "nodejs20.x", Handler: "index.handler"}},
		"a newer runtime":   {config{Runtime: "nodejs24.x"}, config{Runtime: "nodejs24.x", Handler: "index.main"}},
		"another language":  {config{Runtime: "provided.al2023"}, config{Runtime: "provided.al2023", Handler: "bootstrap"}},
		"both are new here": {config{Runtime: "nodejs22.x", Handler: "index.handler"}, config{Runtime: "nodejs22.x", Handler: "index.handler"}},
	} {
		c := test.given
		if err := c.inherit(dir, "nodejs20.x", "index.main"); err != nil || c.Runtime != test.want.Runtime || c.Handler != test.want.Handler {
			t.Errorf("%s: %s, %s, %v; want %s, %s", name, c.Runtime, c.Handler, err, test.want.Runtime, test.want.Handler)
		}
	}
}

func TestFilesOfAnotherLanguageThanTheFunctionsAreRefused(t *testing.T) {
	node := folder(t, map[string]string{"index.js": "exports.handler = 1"})
	both := folder(t, map[string]string{"index.js": "exports.handler = 1", "lib/main.py": ""})
	program := folder(t, map[string]string{"bootstrap": ""})
	for name, test := range map[string]struct {
		dir, runtime, handler string
		given                 config
		want                  string // the runtime; "" for a refusal
	}{
		"Python's":            {node, "python3.12", "app.handler", config{}, ""},
		"a program's":         {program, "nodejs22.x", "index.handler", config{}, ""},
		"Node's for programs": {node, "provided.al2023", "bootstrap", config{}, ""},
		"both are there":      {both, "python3.12", "lib.main.run", config{}, "python3.12"},
		"changed":             {node, "python3.12", "app.handler", config{Runtime: "nodejs22.x"}, "nodejs22.x"},
		"kept":                {node, "python3.12", "app.handler", config{Runtime: "python3.12"}, "python3.12"},
		"nothing to go by":    {t.TempDir(), "python3.12", "app.handler", config{}, "python3.12"},
	} {
		c := test.given
		c.Name = "f"
		err := c.inherit(test.dir, test.runtime, test.handler)
		if test.want != "" {
			if err != nil || c.Runtime != test.want {
				t.Errorf("%s: %s, %v; want %s", name, c.Runtime, err, test.want)
			}
			continue
		}
		guessed, _ := guessEntry(test.dir)
		if ExitCode(err) != ExitUsage || !strings.Contains(err.Error(), "--runtime "+guessed) || !strings.Contains(err.Error(), "--runtime "+test.runtime) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNameIsThatOfTheFolder(t *testing.T) {
	for path, want := range map[string]string{"/a/thumb": "thumb", "/a/thumb/": "thumb", "thumb.zip": "thumb", "x/thumb.jar": "thumb"} {
		var c config
		if err := c.named(path); err != nil || c.Name != want {
			t.Errorf("%s: %q, %v, want %q", path, c.Name, err, want)
		}
	}
	c := config{Name: "given"}
	if err := c.named("/a/thumb"); err != nil || c.Name != "given" {
		t.Errorf("%q, %v", c.Name, err)
	}
}

func TestConfigIsReadStrictly(t *testing.T) {
	good := folder(t, map[string]string{configFile: `{"name": "n", "memory": 256, "env": {"A": "b"}, "url": "iam"}`})
	if c, err := readConfig(good); err != nil || c.Name != "n" || c.Memory != 256 || c.Env["A"] != "b" || c.URL != "iam" {
		t.Errorf("%+v, %v", c, err)
	}
	for _, text := range []string{`{"memroy": 256}`, `{`, `{"memory": "256"}`} {
		if _, err := readConfig(folder(t, map[string]string{configFile: text})); ExitCode(err) != ExitUsage {
			t.Errorf("%s: %v", text, err)
		}
	}
	if c, err := readConfig(t.TempDir()); err != nil || c.Name != "" {
		t.Errorf("none: %+v, %v", c, err)
	}
	c := config{Env: map[string]string{"A": "b", "B": "c"}}
	before := c.Env
	if err := c.setEnv([]string{"A=x=y", "C="}); err != nil || c.Env["A"] != "x=y" || c.Env["B"] != "c" || len(c.Env) != 3 || before["A"] != "b" {
		t.Errorf("%v, %v; before %v", c.Env, err, before)
	}
	for _, pair := range []string{"A", "=x", ""} {
		if err := c.setEnv([]string{pair}); ExitCode(err) != ExitUsage {
			t.Errorf("--env %q: %v", pair, err)
		}
	}
}
