package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// stackFlags are the flags of deploy that are about stacks.
var stackFlags = []string{"yes", "stack", "parameters"}

// A stackSource deploys what is no function: a template, a cdk.out, or a serverless.yml.
type stackSource func(ctx context.Context, c *Context, path string) error

// sourceOf is how a path is deployed; nil: as a function.
func sourceOf(path string) stackSource {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	if info.IsDir() {
		if hasFile("cdk.out")(path) && hasFile("manifest.json")(path) {
			return deployCDK
		}
		return nil
	}
	name := filepath.Base(path)
	extension := filepath.Ext(name)
	if strings.TrimSuffix(name, extension) == "serverless" {
		return deployServerless
	}
	if name != configFile && slices.Contains([]string{".yaml", ".yml", ".json", ".template"}, extension) {
		return deployTemplate
	}
	return nil
}

// checkSource refuses several paths, and flags that are about functions.
func (c *Context) checkSource(paths []string) (err error) {
	if len(paths) > 1 {
		return usage("a template, a cdk.out and a serverless.yml are deployed alone, and there are %d paths", len(paths))
	}
	functions := pflag.NewFlagSet("", pflag.ContinueOnError)
	functionFlags(functions)
	c.Flags.Visit(func(f *pflag.Flag) {
		if functions.Lookup(f.Name) != nil && f.Name != "build" {
			err = usage("--%s is about a function: write it to %s", f.Name, paths[0])
		}
	})
	return err
}

// stackName is what CloudFormation takes for one.
var stackName = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]{0,127}$`)

// notInName is what is replaced in the name of a folder.
var notInName = regexp.MustCompile(`[^-a-zA-Z0-9]+`)

// parameters are those of the flags.
func (c *Context) parameters() (map[string]string, error) {
	pairs, _ := c.Flags.GetStringArray("parameters")
	all := make(map[string]string)
	for _, pair := range pairs {
		name, value, found := strings.Cut(pair, "=")
		if !found || name == "" {
			return nil, usage("--parameters takes NAME=VALUE, not %q", pair)
		}
		all[name] = value
	}
	return all, nil
}

func deployTemplate(ctx context.Context, c *Context, path string) error {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	name := c.text("stack")
	if name == "" {
		name = strings.Trim(notInName.ReplaceAllString(filepath.Base(filepath.Dir(absolute)), "-"), "-")
	}
	if !stackName.MatchString(name) {
		return usage("%q is no name of a stack, which has letters, digits and hyphens, and begins with a letter: give one by --stack", name)
	}
	parameters, err := c.parameters()
	if err != nil {
		return err
	}
	t, err := c.target()
	if err != nil {
		return err
	}
	p := &packaging{artefacts: &artefacts{Context: c, target: t}}
	text, names, err := p.template(ctx, path, 0)
	if err != nil {
		return err
	}
	d := &stackDeploy{Context: c, target: t, api: t.stacks(), name: name, template: text, names: names, parameters: parameters}
	return d.run(ctx)
}

// deployServerless has the tool that reads serverless.yml deploy it.
func deployServerless(ctx context.Context, c *Context, path string) error {
	for _, name := range []string{"stack", "parameters", "build"} {
		if c.Flags.Changed(name) {
			return usage("--%s is not for %s: write it there", name, path)
		}
	}
	program := ""
	for _, name := range []string{"osls", "serverless"} {
		if found, err := exec.LookPath(name); err == nil {
			program = found
			break
		}
	}
	if program == "" {
		return fmt.Errorf("%s is deployed by osls, which is not on PATH: npm install -g osls", path)
	}
	var printed bytes.Buffer
	t, err := c.target()
	if err != nil {
		return err
	}
	if t.isAdmin() {
		return errors.New("osls needs an address by HTTP or HTTPS, and no site of this server has lambda_api: add it to one")
	}
	names, values, err := c.variables(t)
	if err != nil {
		return err
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(inTheWay, name) || slices.Contains(names, name)
	})
	for _, name := range names {
		env = append(env, name+"="+values[name])
	}
	cmd := exec.CommandContext(ctx, program, "deploy", "--config", filepath.Base(path))
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = filepath.Dir(path), env, c.Out, c.Err
	if c.json() {
		cmd.Stdout = &printed // it has no JSON: what it prints is no result
	}
	c.say("%s %s with %s", c.Err.dim("deploying"), path, program)
	if err := cmd.Run(); err != nil {
		if c.json() {
			fmt.Fprint(c.Err, printed.String())
		}
		return fmt.Errorf("%s: %w", filepath.Base(program), err)
	}
	if c.json() {
		return c.print(map[string]string{"deployed": path}, func(io.Writer) {})
	}
	return nil
}
