package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/hearthfn/hearth/caddymodule/stack/template"
	"github.com/hearthfn/hearth/caddymodule/stack/transform"
	"github.com/hearthfn/hearth/warmpool/function"
)

// What stands for AWS's account and region in templates that dev reads.
const (
	devRegion  = "us-east-1"
	devAccount = "000000000000"
	// devBucket stands for the files of this machine in a template that SAM's transform reads.
	devBucket = "this-machine"
)

// templateNames are what SAM takes for a template in a folder.
var templateNames = []string{"template.yaml", "template.yml", "template.json"}

// devTemplateIn is the template that a path names, or the one in a folder; "": the path is a folder of
// functions.
func devTemplateIn(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", usageError{err}
	case !info.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json", ".template"}, filepath.Ext(path)) && filepath.Base(path) != configFile:
		return path, nil
	case !info.IsDir():
		return "", usage("%s is one file: give its folder, %s, or a template", path, filepath.Dir(path))
	case hasFile(configFile)(path):
		return "", nil
	}
	for _, name := range templateNames {
		at := filepath.Join(path, name)
		text, err := os.ReadFile(at)
		if err != nil || len(text) > maxTemplateFile {
			continue
		}
		var document yaml.Node
		if yaml.Unmarshal(text, &document) != nil || len(document.Content) == 1 && member(document.Content[0], "Resources") != nil {
			return at, nil // what cannot be read is said, too
		}
	}
	return "", nil
}

// A devReading is one reading of a template.
type devReading struct {
	*devServer
	project *devProject
	path    string
	root    *yaml.Node // as it is written; nil: it is no YAML
	plan    *template.Plan
	paths   []string // of this machine, by their keys in devBucket
	// names are what Ref gives, once it was asked for.
	names map[string]string
	// written are the resources that the template has, without those that SAM's transform makes.
	written map[string]bool
}

// devTemplate reads what a template has that dev serves.
func (s *devServer) devTemplate(ctx context.Context, path string) (_ *devProject, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, usageError{err}
	}
	s.changed = info.ModTime()
	r := &devReading{devServer: s, project: &devProject{template: path}, path: path, names: make(map[string]string), written: make(map[string]bool)}
	defer func() {
		if err != nil {
			r.project.remove()
		}
	}()
	if err := r.resolve(ctx); err != nil {
		return nil, usageError{r.place(err)}
	}
	for _, one := range r.plan.Resources {
		if one.Type == "AWS::Lambda::Function" {
			if err := r.function(ctx, one.LogicalID); err != nil {
				return nil, usageError{r.placeAt(one.LogicalID, err)}
			}
		}
	}
	if len(r.project.functions) == 0 {
		return nil, usageError{r.place(fmt.Errorf("it has no function that can be served%s", r.why()))}
	}
	if err := r.apis(); err != nil {
		return nil, usageError{err}
	}
	r.rest()
	return r.project, nil
}

func (r *devReading) why() string {
	if len(r.project.absent) == 0 {
		return ""
	}
	return ": " + strings.Join(r.project.absent, "; ")
}

// resolve makes the plan: SAM's resources are plain ones then, and parameters and conditions decided.
func (r *devReading) resolve(ctx context.Context) error {
	parameters, err := r.parameters()
	if err != nil {
		return err
	}
	if text, err := os.ReadFile(r.path); err == nil && len(text) <= maxTemplateFile {
		var document yaml.Node
		if yaml.Unmarshal(text, &document) == nil && len(document.Content) == 1 {
			r.root = document.Content[0]
		}
	}
	p := &packaging{keep: func(path string) (string, string) {
		r.paths = append(r.paths, path)
		return devBucket, strconv.Itoa(len(r.paths) - 1)
	}}
	text, _, err := p.template(ctx, r.path, 0)
	if err != nil {
		return errors.New(strings.TrimLeft(strings.TrimPrefix(err.Error(), r.path), ": "))
	}
	document, err := template.Decode(text)
	if err != nil {
		return err
	}
	if resources, ok := document["Resources"].(map[string]any); ok {
		for id := range resources {
			r.written[id] = true
		}
	}
	if document, err = transform.Apply(document, transform.Input{Parameters: parameters, Region: devRegion, Now: time.Now()}); err != nil {
		return err
	}
	t, err := template.New(document)
	if err != nil {
		return err
	}
	r.plan, err = t.Resolve(template.Input{
		Parameters: parameters,
		Pseudo: template.Pseudo{
			Region: devRegion, AccountID: devAccount, StackName: "dev", StackID: "arn:aws:cloudformation:" + devRegion + ":" + devAccount + ":stack/dev/0",
		},
		SSM: func(name, _ string) (string, error) {
			r.lacks("the parameter %s of SSM, whose name stands for its value", name)
			return name, nil
		},
		Import: func(name string) (string, error) {
			r.lacks("the export %s of another stack, whose name stands for its value", name)
			return name, nil
		},
		Dynamic: func(of template.Reference) (string, error) {
			r.lacks("the value of %s in %s, whose name stands for it", of.Name, of.Service)
			return of.Name, nil
		},
	})
	if err != nil && strings.Contains(err.Error(), "must have values") {
		err = fmt.Errorf("%w: give each by --parameters NAME=VALUE", err)
	}
	return err
}

// lacks names what dev does not make, once.
func (r *devReading) lacks(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(r.project.absent, text) {
		r.project.absent = append(r.project.absent, text)
	}
}

// properties are those of a resource, evaluated.
func (r *devReading) properties(id string) (map[string]any, error) {
	return r.plan.Properties(id, r)
}

// nameProperties are those by which templates name what they make. Ref gives the name of most.
var nameProperties = []string{"FunctionName", "TableName", "BucketName", "QueueName", "TopicName", "LayerName"}

// Ref implements template.Attributes. What is not made has the name that it would have, or its logical ID.
func (r *devReading) Ref(id string) (any, error) {
	if name, known := r.names[id]; known {
		return name, nil
	}
	name := id
	properties, err := r.properties(id)
	if err != nil {
		return nil, err
	}
	for _, property := range nameProperties {
		if text, ok := properties[property].(string); ok {
			name = text
		}
	}
	switch r.plan.Resource(id).Type {
	case "AWS::Lambda::Version", "AWS::Lambda::Alias": // dev has one version of each function
		name = functionARN(functionOf(name))
	case "AWS::Lambda::LayerVersion":
		name = "arn:aws:lambda:" + devRegion + ":" + devAccount + ":layer:" + id + ":1"
	}
	r.names[id] = name
	return name, nil
}

// Attribute implements template.Attributes.
func (r *devReading) Attribute(id, name string) (any, error) {
	resource := r.plan.Resource(id)
	of, err := r.Ref(id)
	if err != nil || resource == nil {
		return nil, err
	}
	service := strings.ToLower(strings.Split(resource.Type+"::", "::")[1])
	switch {
	case name == "Arn" && service == "lambda":
		return functionARN(of.(string)), nil
	case strings.HasSuffix(name, "Arn"):
		return "arn:aws:" + service + ":" + devRegion + ":" + devAccount + ":" + of.(string), nil
	case name == "ApiEndpoint":
		return r.url(), nil
	case name == "FunctionUrl":
		properties, err := r.properties(id)
		target, _ := properties["TargetFunctionArn"].(string)
		return r.url() + "/" + functionOf(target) + "/", err
	}
	return id + "." + name, nil
}

func functionARN(name string) string {
	return "arn:aws:lambda:" + devRegion + ":" + devAccount + ":function:" + name
}

// functionOf is the name of a function in a reference to it: a name, an ARN, or the address by which API
// Gateway invokes it.
func functionOf(reference string) string {
	if _, of, found := strings.Cut(reference, ":function:"); found {
		reference = of
	}
	name, _, _ := strings.Cut(reference, "/")
	name, _, _ = strings.Cut(name, ":")
	return name
}

// devFunctionProperties are those of AWS::Lambda::Function that dev reads.
type devFunctionProperties struct {
	FunctionName, Runtime, Handler, PackageType string
	MemorySize, Timeout                         json.Number
	Code                                        struct{ S3Bucket, S3Key, ZipFile, ImageUri string }
	Environment                                 struct{ Variables map[string]any }
	EphemeralStorage                            struct{ Size json.Number }
	Layers                                      []string
}

// function makes a function of its resource. One that cannot be served is named.
func (r *devReading) function(ctx context.Context, id string) error {
	var of devFunctionProperties
	if err := r.read(id, &of); err != nil {
		return err
	}
	name := of.FunctionName
	if name == "" {
		name = id
	}
	if !function.ValidName(name) {
		return fmt.Errorf("FunctionName %q is no name: 1 to 64 letters, digits, hyphens and underscores", name)
	}
	f := &devFunction{config: config{Name: name, Runtime: of.Runtime, Handler: of.Handler, Env: make(map[string]string)}}
	switch {
	case of.Code.ImageUri != "" || of.PackageType == "Image":
		r.lacks("function %s, which is an image", name)
		return nil
	case of.Code.ZipFile != "":
		dir, err := r.inline(name, of.Runtime, of.Code.ZipFile)
		if err != nil {
			return err
		}
		f.dir = dir
	case of.Code.S3Bucket != devBucket:
		r.lacks("function %s, whose code is in the bucket %s", name, of.Code.S3Bucket)
		return nil
	default:
		f.dir = r.pathOf(of.Code.S3Key)
	}
	for _, number := range []struct {
		name string
		text json.Number
		to   *int
	}{{"MemorySize", of.MemorySize, &f.Memory}, {"Timeout", of.Timeout, &f.Timeout}, {"EphemeralStorage", of.EphemeralStorage.Size, &f.Storage}} {
		if number.text == "" {
			continue
		}
		n, err := strconv.Atoi(number.text.String())
		if err != nil {
			return fmt.Errorf("%s is a whole number, not %s", number.name, number.text)
		}
		*number.to = n
	}
	for name, value := range of.Environment.Variables {
		f.Env[name] = scalar(value)
	}
	pairs, _ := r.Flags.GetStringArray("env")
	if err := errors.Join(f.setEnv(pairs), f.check()); err != nil {
		return err
	}
	for _, layer := range of.Layers {
		if err := r.layer(f, layer); err != nil {
			return err
		}
	}
	return r.addFunction(ctx, f)
}

// addFunction builds a function whose sources must be built, and adds it.
func (r *devReading) addFunction(ctx context.Context, f *devFunction) error {
	info, err := os.Stat(f.dir)
	if err != nil {
		return err
	}
	if !info.IsDir() && !strings.HasSuffix(f.dir, ".zip") && !strings.HasSuffix(f.dir, ".jar") {
		return fmt.Errorf("CodeUri %s is one file: give its folder, or a zip or jar", f.dir)
	}
	if runtime, _ := guessEntry(f.dir); info.IsDir() && runtime == "" && builderOf(f.dir) != nil && !hasModule(f.dir, f.Runtime, f.Handler) {
		source := f.dir
		built, remove, err := r.built(ctx, source)
		if remove != nil {
			r.project.built = append(r.project.built, remove)
		}
		if err != nil {
			return err
		}
		f.dir, f.Build, f.source, f.changed = built, true, source, newest(source)
	}
	if err := f.guess(f.dir); err != nil {
		return err
	}
	f.dir, err = filepath.Abs(f.dir)
	r.project.functions = append(r.project.functions, f)
	return err
}

// inline writes the code that stands in the template, as Lambda names its file.
func (r *devReading) inline(name, runtime, code string) (string, error) {
	file := "index.js"
	if strings.HasPrefix(runtime, "python") {
		file = "index.py"
	}
	dir := filepath.Join(r.work, "inline", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	// The function's user reads it, who is another one if the server is root.
	if err := errors.Join(os.Chmod(r.work, 0o711), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
		return "", err
	}
	at := filepath.Join(dir, file)
	if before, err := os.ReadFile(at); err == nil && string(before) == code {
		return dir, nil
	}
	return dir, os.WriteFile(at, []byte(code), 0o644)
}

// layer adds a layer of the template to a function. Others are named.
func (r *devReading) layer(f *devFunction, arn string) error {
	parts := strings.Split(arn, ":")
	if len(parts) != 8 || r.plan.Resource(parts[6]) == nil || parts[4] != devAccount {
		r.lacks("the layer %s of function %s", arn, f.Name)
		return nil
	}
	var of struct {
		Content struct{ S3Bucket, S3Key string }
	}
	if err := r.read(parts[6], &of); err != nil {
		return err
	}
	if of.Content.S3Bucket != devBucket {
		r.lacks("the layer %s of function %s, whose content is in the bucket %s", parts[6], f.Name, of.Content.S3Bucket)
		return nil
	}
	path, err := filepath.Abs(r.pathOf(of.Content.S3Key))
	f.Layers = append(f.Layers, path)
	return err
}

// read evaluates a resource's properties into a struct.
func (r *devReading) read(id string, into any) error {
	properties, err := r.properties(id)
	if err != nil {
		return err
	}
	text, err := json.Marshal(properties)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	err = decoder.Decode(into)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("%s is a %s, which it may not be", wrong.Field, wrong.Value)
	}
	return err
}

// pathOf is the path that a key in devBucket stands for.
func (r *devReading) pathOf(key string) string {
	n, err := strconv.Atoi(key)
	if err != nil || n < 0 || n >= len(r.paths) {
		return key // the template names this bucket itself
	}
	return r.paths[n]
}

// scalar is a value of an environment variable as Lambda has it.
func scalar(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(text)
}
