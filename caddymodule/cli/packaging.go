package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxTemplateFile is CloudFormation's limit of a template, in bytes, and maxNested bounds how deep
// templates are in one another.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
const (
	maxTemplateFile = 1_048_576
	maxNested       = 8
)

// An upload is a property of a type of resource that may name a local path.
// https://docs.aws.amazon.com/cli/latest/reference/cloudformation/package.html
type upload struct {
	property string
	zip      bool // of a folder, or of a file
	nested   bool // the path is that of a template
	// bucket and key are the names of the two members that say where it is; "": it is an
	// address, which begins with s3://.
	bucket, key string
}

// uploads are the properties by the types of resources.
var uploads = map[string]upload{
	"AWS::Lambda::Function":         {property: "Code", zip: true, bucket: "S3Bucket", key: "S3Key"},
	"AWS::Lambda::LayerVersion":     {property: "Content", zip: true, bucket: "S3Bucket", key: "S3Key"},
	"AWS::Serverless::Function":     {property: "CodeUri", zip: true},
	"AWS::Serverless::LayerVersion": {property: "ContentUri", zip: true},
	"AWS::Serverless::Api":          {property: "DefinitionUri"},
	"AWS::Serverless::HttpApi":      {property: "DefinitionUri"},
	"AWS::ApiGateway::RestApi":      {property: "BodyS3Location", bucket: "Bucket", key: "Key"},
	"AWS::CloudFormation::Stack":    {property: "TemplateURL", nested: true},
	"AWS::Serverless::Application":  {property: "Location", nested: true},
}

// packaging uploads what templates name by local paths, and puts the addresses in their place.
type packaging struct {
	*artefacts
	// keep, if set, uploads nothing: it says which address stands for a path.
	keep func(path string) (bucket, key string)
}

// template is the text of a template in a file, with addresses for paths, and the names of its
// parameters. What is in no need of that is left as it is written.
func (p *packaging) template(ctx context.Context, path string, depth int) (text []byte, parameters []string, err error) {
	if depth > maxNested {
		return nil, nil, fmt.Errorf("%s: templates are nested more than %d deep", path, maxNested)
	}
	if text, err = readFile(path, maxTemplateFile); err != nil {
		return nil, nil, usageError{err}
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, nil, usage("%s: %v", path, err)
	}
	if len(document.Content) != 1 || member(document.Content[0], "Resources") == nil {
		return nil, nil, usage("%s has no Resources: it is no template of CloudFormation", path)
	}
	root := document.Content[0]
	if all := member(root, "Parameters"); all != nil && all.Kind == yaml.MappingNode {
		for n := 0; n+1 < len(all.Content); n += 2 {
			parameters = append(parameters, all.Content[n].Value)
		}
	}
	w := &walk{packaging: p, ctx: ctx, dir: filepath.Dir(path), depth: depth}
	if err := w.root(root); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	if !w.changed {
		return text, parameters, nil
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		return nil, nil, err
	}
	return out.Bytes(), parameters, nil
}

// readFile reads a file of up to limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() // it was only read
	text, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes, which it may have", path, limit)
	}
	return text, err
}

// A walk goes through one template.
type walk struct {
	*packaging
	ctx     context.Context
	dir     string
	depth   int
	changed bool
}

func (w *walk) root(root *yaml.Node) error {
	globals := member(member(root, "Globals"), "Function")
	if err := w.property(globals, uploads["AWS::Serverless::Function"]); err != nil {
		return fmt.Errorf("section Globals: %w", err)
	}
	resources := member(root, "Resources")
	if resources.Kind != yaml.MappingNode {
		return nil // CloudFormation says so
	}
	for n := 0; n+1 < len(resources.Content); n += 2 {
		id, resource := resources.Content[n].Value, resources.Content[n+1]
		kind := member(resource, "Type")
		if kind == nil {
			continue
		}
		what, known := uploads[kind.Value]
		if !known {
			continue
		}
		properties := member(resource, "Properties")
		if kind.Value == "AWS::Serverless::Function" && properties != nil && properties.Kind == yaml.MappingNode &&
			member(properties, "CodeUri") == nil && member(properties, "InlineCode") == nil && member(properties, "ImageUri") == nil && member(globals, "CodeUri") == nil {
			// As the aws command does: the folder of the template.
			properties.Content = append(properties.Content, textNode("CodeUri"), textNode("."))
		}
		if err := w.property(properties, what); err != nil {
			return fmt.Errorf("resource %s: %w", id, err)
		}
	}
	return nil
}

// property uploads what a property names, unless it is an address, or no text.
func (w *walk) property(properties *yaml.Node, what upload) error {
	value := member(properties, what.property)
	if value != nil && value.Kind == yaml.AliasNode {
		value = value.Alias
	}
	if value == nil || value.Kind != yaml.ScalarNode || value.Tag != "!!str" || strings.Contains(value.Value, "://") {
		return nil
	}
	path := filepath.Join(w.dir, filepath.FromSlash(value.Value))
	if filepath.IsAbs(value.Value) {
		path = value.Value
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%s: %w", what.property, err)
	}
	bucket, key, err := w.send(path, info, what)
	if err != nil {
		return fmt.Errorf("%s %s: %w", what.property, value.Value, err)
	}
	w.changed = true
	switch {
	case what.nested:
		value.SetString(objectURL(bucket, key))
	case what.bucket == "":
		value.SetString("s3://" + bucket + "/" + key)
	default:
		*value = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Anchor: value.Anchor, Content: []*yaml.Node{textNode(what.bucket), textNode(bucket), textNode(what.key), textNode(key)}}
	}
	return nil
}

// send uploads what is at a path.
func (w *walk) send(path string, info os.FileInfo, what upload) (bucket, key string, err error) {
	if w.keep != nil {
		bucket, key = w.keep(path)
		return bucket, key, nil
	}
	switch {
	case what.nested:
		text, _, err := w.template(w.ctx, path, w.depth+1)
		if err != nil {
			return "", "", err
		}
		return w.put(w.ctx, path, text, ".template")
	case !what.zip && info.IsDir():
		return "", "", fmt.Errorf("is a folder, and not the description of an API")
	case !what.zip:
		text, err := os.ReadFile(path)
		if err != nil {
			return "", "", err
		}
		return w.put(w.ctx, path, text, filepath.Ext(path))
	}
	from := path
	if w.is("build") && info.IsDir() && builderOf(path) != nil {
		built, remove, err := w.built(w.ctx, path)
		if err != nil {
			return "", "", err
		}
		defer remove()
		from = built
	} else if !info.IsDir() && !strings.HasSuffix(path, ".zip") && !strings.HasSuffix(path, ".jar") {
		return "", "", fmt.Errorf("is one file: give its folder, or a zip or jar")
	}
	data, _, err := archive(from)
	if err != nil {
		return "", "", err
	}
	return w.put(w.ctx, path, data, ".zip")
}

// member is the value of a mapping's key; nil if there is none.
func member(of *yaml.Node, key string) *yaml.Node {
	if of != nil && of.Kind == yaml.AliasNode {
		of = of.Alias
	}
	if of == nil || of.Kind != yaml.MappingNode {
		return nil
	}
	for n := 0; n+1 < len(of.Content); n += 2 {
		if of.Content[n].Value == key {
			return of.Content[n+1]
		}
	}
	return nil
}

func textNode(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}
