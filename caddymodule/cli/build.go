package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A builder makes what can be deployed of the sources in a folder.
type builder struct {
	name string
	// fits reports whether the folder has such sources.
	fits func(dir string) bool
	// build writes the function to out, or returns another path that has it.
	build func(b *building) (path string, err error)
}

// A building is one run of a builder.
type building struct {
	*Context
	ctx context.Context
	dir string // the sources
	out string // an empty folder
}

// builders are tried in order.
var builders = []builder{
	{"Go", hasFile("go.mod"), buildGo},
	{"Maven", hasFile("pom.xml"), buildMaven},
	{"Gradle", hasFile("build.gradle", "build.gradle.kts"), buildGradle},
	{"TypeScript", func(dir string) bool { return typeScriptEntry(dir) != "" }, buildTypeScript},
	{"Python", hasFile("requirements.txt"), buildPython},
	{"Node.js", hasFile("package.json"), buildNode},
}

func hasFile(names ...string) func(dir string) bool {
	return func(dir string) bool {
		return slices.ContainsFunc(names, func(name string) bool {
			_, err := os.Stat(filepath.Join(dir, name))
			return err == nil
		})
	}
}

// builderOf is the builder of a folder; nil: there is nothing to build.
func builderOf(dir string) *builder {
	for n := range builders {
		if builders[n].fits(dir) {
			return &builders[n]
		}
	}
	return nil
}

// built makes what can be deployed of a folder. The caller removes the folder that remove removes.
func (c *Context) built(ctx context.Context, dir string) (path string, remove func(), err error) {
	with := builderOf(dir)
	if with == nil {
		return "", nil, usage("%s: nothing to build was found; --build knows go.mod, pom.xml, build.gradle, an entry in TypeScript, requirements.txt and package.json", dir)
	}
	out, err := os.MkdirTemp("", "hearth-build-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.RemoveAll(out) }
	// The function's user reads it, who is another one if the server is root.
	if err := os.Chmod(out, 0o755); err != nil {
		remove()
		return "", nil, err
	}
	c.say("%s %s with %s", c.Err.dim("building"), dir, with.name)
	path, err = with.build(&building{Context: c, ctx: ctx, dir: dir, out: out})
	if err != nil {
		remove()
		return "", nil, fmt.Errorf("build %s with %s: %w", dir, with.name, err)
	}
	return path, remove, nil
}

// run runs a tool in the folder of the sources, with its output on standard error.
func (b *building) run(env []string, program string, arguments ...string) error {
	path, err := exec.LookPath(program)
	if err != nil {
		return fmt.Errorf("%s is missing: install it, or build the function yourself and deploy what that makes", program)
	}
	command := exec.CommandContext(b.ctx, path, arguments...)
	command.Dir, command.Env, command.Stdout, command.Stderr = b.dir, append(os.Environ(), env...), b.Err, b.Err
	if err := command.Run(); err != nil {
		return fmt.Errorf("%s: %w", program, err)
	}
	return nil
}

func buildGo(b *building) (string, error) {
	return b.out, b.run([]string{"CGO_ENABLED=0", "GOOS=linux"}, "go", "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-tags=lambda.norpc", "-o", filepath.Join(b.out, "bootstrap"), ".")
}

func buildMaven(b *building) (string, error) {
	if err := b.run(nil, wrapped(b.dir, "mvnw", "mvn"), "--quiet", "--batch-mode", "-DskipTests", "package"); err != nil {
		return "", err
	}
	return largestJar(filepath.Join(b.dir, "target"))
}

func buildGradle(b *building) (string, error) {
	if err := b.run(nil, wrapped(b.dir, "gradlew", "gradle"), "--quiet", "build", "-x", "test"); err != nil {
		return "", err
	}
	return largestJar(filepath.Join(b.dir, "build", "libs"))
}

// wrapped is the project's own script of a build tool, or else the tool.
func wrapped(dir, script, tool string) string {
	if path, err := filepath.Abs(filepath.Join(dir, script)); err == nil {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return tool
}

// largestJar is the jar with the dependencies, where a build makes several.
func largestJar(dir string) (string, error) {
	jars, err := filepath.Glob(filepath.Join(dir, "*.jar"))
	if err != nil {
		return "", err
	}
	path, largest := "", int64(-1)
	for _, jar := range jars {
		name := filepath.Base(jar)
		if strings.HasPrefix(name, "original-") || strings.HasSuffix(name, "-sources.jar") || strings.HasSuffix(name, "-javadoc.jar") {
			continue
		}
		if info, err := os.Stat(jar); err == nil && info.Size() > largest {
			path, largest = jar, info.Size()
		}
	}
	if path == "" {
		return "", fmt.Errorf("it made no jar in %s", dir)
	}
	return path, nil
}

// typeScriptEntry is the file that a function in TypeScript begins in; "" if there is none.
func typeScriptEntry(dir string) string {
	for _, folder := range []string{"", "src"} {
		for _, name := range []string{"index", "app", "lambda", "handler", "main"} {
			for _, extension := range []string{".ts", ".mts"} {
				file := filepath.Join(folder, name+extension)
				if _, err := os.Stat(filepath.Join(dir, file)); err == nil {
					return file
				}
			}
		}
	}
	return ""
}

func buildTypeScript(b *building) (string, error) {
	if _, err := os.Stat(filepath.Join(b.dir, "node_modules")); errors.Is(err, fs.ErrNotExist) && hasFile("package.json")(b.dir) {
		if err := b.run([]string{"NPM_CONFIG_UPDATE_NOTIFIER=false"}, "npm", npmInstall(b.dir), "--no-audit", "--no-fund", "--loglevel=error"); err != nil {
			return "", err
		}
	}
	esbuild, err := filepath.Abs(filepath.Join(b.dir, "node_modules", ".bin", "esbuild"))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(esbuild); err != nil {
		esbuild = "esbuild"
	}
	entry := typeScriptEntry(b.dir)
	out := filepath.Join(b.out, strings.TrimSuffix(filepath.Base(entry), filepath.Ext(entry))+".js")
	err = b.run(nil, esbuild, entry, "--bundle", "--platform=node", "--target=node20", "--format=cjs", "--sourcemap=inline", "--log-level=warning", "--outfile="+out)
	if errors.Is(err, exec.ErrNotFound) || err != nil && strings.Contains(err.Error(), "is missing") {
		return "", errors.New("esbuild is missing: npm install --save-dev esbuild")
	}
	return b.out, err
}

func npmInstall(dir string) string {
	if hasFile("package-lock.json")(dir) {
		return "ci"
	}
	return "install"
}

func buildPython(b *building) (string, error) {
	if err := copyFolder(b.dir, b.out); err != nil {
		return "", err
	}
	if _, err := exec.LookPath("uv"); err == nil {
		return b.out, b.run(nil, "uv", "pip", "install", "--quiet", "--target", b.out, "--requirement", "requirements.txt")
	}
	return b.out, b.run([]string{"PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_ROOT_USER_ACTION=ignore"}, "python3", "-m", "pip", "install", "--quiet", "--target", b.out, "--requirement", "requirements.txt")
}

func buildNode(b *building) (string, error) {
	if err := copyFolder(b.dir, b.out); err != nil {
		return "", err
	}
	b.dir = b.out
	return b.out, b.run([]string{"NPM_CONFIG_UPDATE_NOTIFIER=false"}, "npm", npmInstall(b.out), "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error")
}

// copyFolder copies what a deploy of the folder would have, but for installed packages.
func copyFolder(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil || name == "." {
			return err
		}
		if left[d.Name()] || name == "node_modules" {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		target := filepath.Join(to, name)
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, info.Mode().Perm())
	})
}
