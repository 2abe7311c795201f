package cli

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/dustin/go-humanize"
	"github.com/spf13/pflag"
)

var deployCommand = &Command{
	Use:   "deploy PATH...",
	Short: "Make a function of a folder, or a stack of a template",
	Long: `Zips a folder (or takes a zip or jar), creates the function or updates it, publishes
a version of it, waits until it is active, tries its init phase and prints its address.
Several folders become several functions. If the code does not start, the error is printed
with file and line, and the exit code is 3; --no-check leaves the trial out.

--build makes the function of sources first, by the tools of this machine: go build,
Maven or Gradle, esbuild for TypeScript, pip or uv for requirements.txt, npm.

What the function is made with comes from the flags, then from hearth.json in the
folder, then for a new function from a guess by its files:

  {"name": "hello", "runtime": "nodejs22.x", "handler": "index.handler",
   "memory": 256, "timeout": 10, "env": {"STAGE": "beta"}, "layers": [],
   "url": "public", "build": true}

url is public, iam (signed calls only) or none. Settings that are not given stay what
they are when the function exists already.

A template of CloudFormation or SAM (a .yaml, .yml, .json or .template) becomes a stack,
with the folders that it names uploaded; a cdk.out, a folder that cdk synth made, becomes
its stacks. What changes is shown, and you are asked; --yes answers. serverless.yml is
given to osls or serverless, which must be on PATH.`,
	Args: 1, MaxArgs: 1000,
	Flags: func(f *pflag.FlagSet) {
		functionFlags(f)
		f.Bool("yes", false, "Change stacks without being asked")
		f.String("stack", "", "Name of the stack (default: that of the template's folder), or the one of cdk.out to deploy")
		f.StringArray("parameters", nil, "Parameter NAME=VALUE of the stack; may be given again")
	},
	Run: deploy,
}

// functionFlags are the flags of deploy that are about functions.
func functionFlags(f *pflag.FlagSet) {
	f.String("name", "", "Name of the function (default: that of the folder)")
	f.String("runtime", "", "Lambda runtime, e.g. nodejs22.x or python3.13")
	f.String("handler", "", "Handler, e.g. index.handler")
	f.String("description", "", "What the function is for")
	f.Int("memory", 0, "Memory in MB (default for a new function: 128)")
	f.Int("timeout", 0, "Timeout in seconds (default for a new function: 3)")
	f.Int("ephemeral-storage", 0, "Size of /tmp in MB (default for a new function: 512)")
	f.StringArray("env", nil, "Environment variable NAME=VALUE; may be given again")
	f.StringArray("layer", nil, "ARN of a layer version; may be given again")
	f.String("url", "", "Function URL: public, iam or none (default: as it is)")
	f.Bool("build", false, "Build the sources first")
	f.Bool("no-check", false, "Do not try the init phase")
	f.String("role", "", "Role ARN to keep with the function; it is not enforced")
}

// defaultRole stands for the role that the API requires and nobody enforces.
const defaultRole = "arn:aws:iam::000000000000:role/hearth"

// activeWithin bounds the wait for a function.
const activeWithin = 2 * time.Minute

// A deployed is the output of deploy.
type deployed struct {
	Name    string `json:"name"`
	ARN     string `json:"arn"`
	Version string `json:"version"`
	Runtime string `json:"runtime"`
	Handler string `json:"handler"`
	Created bool   `json:"created"`
	Changed bool   `json:"changed"`
	Size    int    `json:"code_size"`
	SHA256  string `json:"code_sha256"`
	URL     string `json:"url,omitempty"`
	// The version that serves the runtime, e.g. nodejs-22.23.5, and a warning if it is
	// another one than the runtime names.
	RuntimeVersion string `json:"runtime_version,omitempty"`
	Warning        string `json:"warning,omitempty"`
}

func deploy(ctx context.Context, c *Context) error {
	paths := c.Flags.Args()
	if len(paths) > 1 && c.text("name") != "" {
		return usage("--name is for one function, and there are %d folders: write the name to %s of each", len(paths), configFile)
	}
	for _, path := range paths { // before anything is deployed
		if deploySource := sourceOf(path); deploySource != nil {
			if err := c.checkSource(paths); err != nil {
				return err
			}
			return deploySource(ctx, c, path)
		}
	}
	for _, name := range stackFlags {
		if c.Flags.Changed(name) {
			return usage("--%s is for a template or a cdk.out, and %s is neither", name, paths[0])
		}
	}
	for _, path := range paths {
		if err := checkPath(path); err != nil {
			return err
		}
		if _, err := c.config(path); err != nil {
			return err
		}
	}
	for _, path := range paths {
		if err := c.deploy(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

// checkPath refuses what is neither a folder nor an archive.
func checkPath(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return usageError{err}
	}
	if !info.IsDir() && !strings.HasSuffix(path, ".zip") && !strings.HasSuffix(path, ".jar") {
		return usage("%s is one file: give its folder, %s, or a zip or jar", path, filepath.Dir(path))
	}
	return nil
}

func (c *Context) deploy(ctx context.Context, source string) error {
	wanted, err := c.config(source)
	if err != nil {
		return err
	}
	began, path := time.Now(), source
	if wanted.Build {
		built, remove, err := c.built(ctx, source)
		if err != nil {
			return err
		}
		defer remove()
		path = built
	}
	code, files, err := archive(path)
	if err != nil {
		return err
	}
	if len(code) > maxZip {
		return fmt.Errorf("%s is %s, and a request may have %d MB", path, humanize.IBytes(uint64(len(code))), maxZip>>20)
	}
	c.say("%s %s, %s", c.Err.dim("zipped  "), plural(files, "file"), humanize.IBytes(uint64(len(code))))
	api, err := c.api()
	if err != nil {
		return err
	}
	d := &deployment{Context: c, api: api, path: path, source: source, wanted: wanted, code: code}
	out, err := d.run(ctx)
	if err != nil {
		return err
	}
	if out.URL, err = d.url(ctx); err != nil {
		return err
	}
	if err := c.print(out, func(w io.Writer) {
		what := "updated"
		switch {
		case out.Created:
			what = "created"
		case !out.Changed:
			what = "is as it was:"
		}
		fmt.Fprintf(w, "%s %s version %s (%s, %s) in %s\n", c.Out.bold(out.Name), what, out.Version, out.Runtime, out.Handler, time.Since(began).Round(time.Millisecond))
		if out.Warning != "" {
			fmt.Fprintf(w, "%s %s\n", c.Out.bold("warning:"), out.Warning)
		}
		if out.URL != "" {
			fmt.Fprintln(w, out.URL)
		} else {
			fmt.Fprintf(w, "no URL: give it one by --url public, or a route by `function %s` on a site of the Caddyfile, or call it: caddy hearth invoke %s\n", out.Name, out.Name)
		}
	}); err != nil || c.is("no-check") {
		return err
	}
	return d.tryInit(ctx)
}

// config is the configuration of the new function.
func (c *Context) config(path string) (config, error) {
	conf, err := readConfig(path)
	if err != nil {
		return conf, err
	}
	conf.Name = cmp.Or(c.text("name"), conf.Name)
	conf.Runtime = cmp.Or(c.text("runtime"), conf.Runtime)
	conf.Handler = cmp.Or(c.text("handler"), conf.Handler)
	conf.Description = cmp.Or(c.text("description"), conf.Description)
	conf.URL = cmp.Or(c.text("url"), conf.URL)
	conf.Build = conf.Build || c.is("build")
	for name, to := range map[string]*int{"memory": &conf.Memory, "timeout": &conf.Timeout, "ephemeral-storage": &conf.Storage} {
		if n, _ := c.Flags.GetInt(name); n != 0 {
			*to = n
		}
	}
	if layers, _ := c.Flags.GetStringArray("layer"); len(layers) > 0 {
		conf.Layers = layers
	}
	pairs, _ := c.Flags.GetStringArray("env")
	if err := conf.setEnv(pairs); err != nil {
		return conf, err
	}
	if err := conf.check(); err != nil {
		return conf, err
	}
	return conf, conf.named(path)
}

// A deployment is one run of deploy.
type deployment struct {
	*Context
	api    *lambda.Client
	path   string // of what is deployed
	source string // of what the caller named
	wanted config
	code   []byte
}

func (d *deployment) run(ctx context.Context) (*deployed, error) {
	name := &d.wanted.Name
	before, err := d.api.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: name})
	created := errors.As(err, new(*types.ResourceNotFoundException))
	if err != nil && !created {
		return nil, err
	}
	if created {
		err = d.wanted.guess(d.path)
	} else {
		err = d.wanted.inherit(d.path, string(before.Runtime), aws.ToString(before.Handler))
	}
	if err != nil {
		return nil, err
	}
	out := &deployed{Name: *name, Created: created, Size: len(d.code)}
	if created {
		if err := d.create(ctx); err != nil {
			return nil, err
		}
	} else if err := d.update(ctx, before); err != nil {
		return nil, err
	}
	published, err := d.api.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: name})
	if err != nil {
		return nil, err
	}
	out.ARN = strings.TrimSuffix(aws.ToString(published.FunctionArn), ":"+aws.ToString(published.Version))
	out.Version, out.Runtime, out.Handler = aws.ToString(published.Version), string(published.Runtime), aws.ToString(published.Handler)
	out.SHA256 = aws.ToString(published.CodeSha256)
	out.RuntimeVersion, out.Warning = servedBy(published.RuntimeVersionConfig)
	out.Changed = created || before.LastModified == nil || d.changed(before)
	return out, nil
}

func (d *deployment) create(ctx context.Context) error {
	d.say("%s function %s (%s, %s)", d.Err.dim("creating"), d.wanted.Name, d.wanted.Runtime, d.wanted.Handler)
	w := &d.wanted
	in := &lambda.CreateFunctionInput{
		FunctionName: &w.Name, Runtime: types.Runtime(w.Runtime), Handler: &w.Handler, Role: aws.String(cmp.Or(d.text("role"), defaultRole)),
		Code: &types.FunctionCode{ZipFile: d.code}, Layers: w.Layers, Description: optional(w.Description),
		MemorySize: optionalInt(w.Memory), Timeout: optionalInt(w.Timeout), EphemeralStorage: storage(w.Storage), Environment: environment(w.Env),
	}
	if _, err := d.api.CreateFunction(ctx, in); err != nil {
		return err
	}
	return lambda.NewFunctionActiveV2Waiter(d.api, quickly[*lambda.FunctionActiveV2WaiterOptions]).Wait(ctx, &lambda.GetFunctionInput{FunctionName: &w.Name}, activeWithin)
}

// quickly looks more often than the SDK would: nothing here takes long.
func quickly[T any](options T) {
	switch o := any(options).(type) {
	case *lambda.FunctionActiveV2WaiterOptions:
		o.MinDelay, o.MaxDelay = 50*time.Millisecond, time.Second
	case *lambda.FunctionUpdatedV2WaiterOptions:
		o.MinDelay, o.MaxDelay = 50*time.Millisecond, time.Second
	}
}

// update changes the configuration first: code that needs it runs only with it.
func (d *deployment) update(ctx context.Context, before *lambda.GetFunctionConfigurationOutput) error {
	w := &d.wanted
	if d.reconfigured(before) {
		d.say("%s configuration", d.Err.dim("updating"))
		in := &lambda.UpdateFunctionConfigurationInput{
			FunctionName: &w.Name, Runtime: types.Runtime(w.Runtime), Handler: &w.Handler, Role: optional(d.text("role")), Layers: w.Layers,
			Description: optional(w.Description), MemorySize: optionalInt(w.Memory), Timeout: optionalInt(w.Timeout),
			EphemeralStorage: storage(w.Storage), Environment: environment(w.Env),
		}
		if _, err := d.api.UpdateFunctionConfiguration(ctx, in); err != nil {
			return err
		}
		if err := d.updated(ctx); err != nil {
			return err
		}
	}
	if d.digest() == aws.ToString(before.CodeSha256) {
		return nil
	}
	d.say("%s code", d.Err.dim("updating"))
	if _, err := d.api.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: &w.Name, ZipFile: d.code}); err != nil {
		return err
	}
	return d.updated(ctx)
}

func (d *deployment) updated(ctx context.Context) error {
	return waitUpdated(ctx, d.api, d.wanted.Name)
}

func waitUpdated(ctx context.Context, api *lambda.Client, name string) error {
	return lambda.NewFunctionUpdatedV2Waiter(api, quickly[*lambda.FunctionUpdatedV2WaiterOptions]).Wait(ctx, &lambda.GetFunctionInput{FunctionName: &name}, activeWithin)
}

func (d *deployment) digest() string {
	sum := sha256.Sum256(d.code)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (d *deployment) changed(before *lambda.GetFunctionConfigurationOutput) bool {
	return d.reconfigured(before) || d.digest() != aws.ToString(before.CodeSha256)
}

// reconfigured reports whether something that was asked for is not so.
func (d *deployment) reconfigured(before *lambda.GetFunctionConfigurationOutput) bool {
	w := &d.wanted
	differs := func(wanted int, is *int32) bool { return wanted != 0 && int32(wanted) != aws.ToInt32(is) }
	var env map[string]string
	if before.Environment != nil {
		env = before.Environment.Variables
	}
	var layers []string
	for _, l := range before.Layers {
		layers = append(layers, aws.ToString(l.Arn))
	}
	var tmp *int32
	if before.EphemeralStorage != nil {
		tmp = before.EphemeralStorage.Size
	}
	return w.Runtime != string(before.Runtime) || w.Handler != aws.ToString(before.Handler) ||
		w.Description != "" && w.Description != aws.ToString(before.Description) ||
		d.text("role") != "" && d.text("role") != aws.ToString(before.Role) ||
		differs(w.Memory, before.MemorySize) || differs(w.Timeout, before.Timeout) || differs(w.Storage, tmp) ||
		w.Env != nil && !maps.Equal(w.Env, env) || w.Layers != nil && !slices.Equal(w.Layers, layers)
}

// url gives the function the URL that was asked for, and returns the one it has.
func (d *deployment) url(ctx context.Context) (string, error) {
	name := &d.wanted.Name
	auth := map[string]types.FunctionUrlAuthType{"public": types.FunctionUrlAuthTypeNone, "iam": types.FunctionUrlAuthTypeAwsIam}[d.wanted.URL]
	is, err := d.api.GetFunctionUrlConfig(ctx, &lambda.GetFunctionUrlConfigInput{FunctionName: name})
	missing := errors.As(err, new(*types.ResourceNotFoundException))
	switch {
	case err != nil && !missing:
		return "", err
	case d.wanted.URL == "none":
		if missing {
			return "", nil
		}
		_, err := d.api.DeleteFunctionUrlConfig(ctx, &lambda.DeleteFunctionUrlConfigInput{FunctionName: name})
		return "", err
	case missing && auth == "":
		return "", nil
	case missing:
		made, err := d.api.CreateFunctionUrlConfig(ctx, &lambda.CreateFunctionUrlConfigInput{FunctionName: name, AuthType: auth})
		if err != nil {
			return "", err
		}
		return aws.ToString(made.FunctionUrl), d.publish(ctx, auth)
	case auth != "" && auth != is.AuthType:
		if _, err := d.api.UpdateFunctionUrlConfig(ctx, &lambda.UpdateFunctionUrlConfigInput{FunctionName: name, AuthType: auth}); err != nil {
			return "", err
		}
	}
	return aws.ToString(is.FunctionUrl), d.publish(ctx, auth)
}

// publish lets everybody call the URL, if it is to be public. The statement has the name that AWS's
// console gives it.
func (d *deployment) publish(ctx context.Context, auth types.FunctionUrlAuthType) error {
	if auth != types.FunctionUrlAuthTypeNone {
		return nil
	}
	_, err := d.api.AddPermission(ctx, &lambda.AddPermissionInput{
		FunctionName: &d.wanted.Name, StatementId: aws.String("FunctionURLAllowPublicAccess"), Action: aws.String("lambda:InvokeFunctionUrl"),
		Principal: aws.String("*"), FunctionUrlAuthType: auth,
	})
	if errors.As(err, new(*types.ResourceConflictException)) { // it is there
		return nil
	}
	return err
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func optionalInt(n int) *int32 {
	if n == 0 {
		return nil
	}
	return aws.Int32(int32(min(n, 1<<30)))
}

func storage(mb int) *types.EphemeralStorage {
	if mb == 0 {
		return nil
	}
	return &types.EphemeralStorage{Size: optionalInt(mb)}
}

func environment(env map[string]string) *types.Environment {
	if env == nil {
		return nil
	}
	return &types.Environment{Variables: env}
}
