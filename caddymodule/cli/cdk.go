package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxManifest bounds a manifest, in bytes.
const maxManifest = 64 << 20

// A cdkManifest is what cdk synth writes to manifest.json.
// https://github.com/aws/aws-cdk/tree/main/packages/aws-cdk-lib/cloud-assembly-schema
type cdkManifest struct {
	Artifacts map[string]cdkArtifact `json:"artifacts"`
}

type cdkArtifact struct {
	Type         string   `json:"type"`
	Environment  string   `json:"environment"` // aws://ACCOUNT/REGION, or unknown-account and unknown-region
	Dependencies []string `json:"dependencies"`
	Properties   struct {
		TemplateFile          string            `json:"templateFile"`
		StackName             string            `json:"stackName"`
		Parameters            map[string]string `json:"parameters"`
		Tags                  map[string]string `json:"tags"`
		TerminationProtection bool              `json:"terminationProtection"`
		File                  string            `json:"file"`          // of an asset manifest
		DirectoryName         string            `json:"directoryName"` // of a stage
	} `json:"properties"`

	id, dir string
}

func (a *cdkArtifact) stack() string {
	if a.Properties.StackName != "" {
		return a.Properties.StackName
	}
	return a.id
}

// A cdkAssets is an asset manifest.
type cdkAssets struct {
	Files        map[string]cdkFile         `json:"files"`
	DockerImages map[string]json.RawMessage `json:"dockerImages"`
}

type cdkFile struct {
	Source struct {
		Path       string   `json:"path"`
		Packaging  string   `json:"packaging"` // file or zip
		Executable []string `json:"executable"`
	} `json:"source"`
	Destinations map[string]struct {
		BucketName string `json:"bucketName"`
		ObjectKey  string `json:"objectKey"`
	} `json:"destinations"`
}

// A cdkDeploy is the deployment of what cdk synth made.
type cdkDeploy struct {
	*artefacts
	account    string
	parameters map[string]string
	artifacts  map[string]*cdkArtifact
	done       map[string]bool
}

func deployCDK(ctx context.Context, c *Context, path string) error {
	if c.is("build") {
		return usage("--build is not for a cdk.out: cdk synth has built it")
	}
	parameters, err := c.parameters()
	if err != nil {
		return err
	}
	d := &cdkDeploy{artefacts: &artefacts{Context: c}, parameters: parameters, artifacts: map[string]*cdkArtifact{}, done: map[string]bool{}}
	if err := d.read(path, 0); err != nil {
		return err
	}
	var wanted []string
	var stacks []string
	for _, a := range d.artifacts {
		if a.Type == "aws:cloudformation:stack" {
			stacks = append(stacks, a.stack())
			if name := c.text("stack"); name == "" || name == a.stack() || name == a.id {
				wanted = append(wanted, a.id)
			}
		}
	}
	slices.Sort(wanted)
	slices.Sort(stacks)
	if len(wanted) == 0 {
		return usage("%s has no such stack: it has %s", path, strings.Join(stacks, ", "))
	}
	if d.target, err = c.target(); err != nil {
		return err
	}
	if d.account, err = d.target.account(ctx); err != nil {
		return err
	}
	for _, id := range wanted {
		if err := d.deploy(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// read reads the manifest of a folder, and of the stages in it.
func (d *cdkDeploy) read(dir string, depth int) error {
	if depth > maxNested {
		return fmt.Errorf("%s: stages are nested more than %d deep", dir, maxNested)
	}
	var manifest cdkManifest
	if err := readJSON(filepath.Join(dir, "manifest.json"), &manifest); err != nil {
		return err
	}
	for id, a := range manifest.Artifacts {
		a.id, a.dir = id, dir
		if a.Type == "cdk:cloud-assembly" {
			if err := d.read(filepath.Join(dir, a.Properties.DirectoryName), depth+1); err != nil {
				return err
			}
		}
		d.artifacts[id] = &a
	}
	return nil
}

func readJSON(path string, into any) error {
	file, err := os.Open(path)
	if err != nil {
		return usageError{err}
	}
	defer file.Close() // it was only read
	if err := json.NewDecoder(io.LimitReader(file, maxManifest)).Decode(into); err != nil {
		return usage("%s: %v", path, err)
	}
	return nil
}

// deploy deploys an artifact after those that it depends on.
func (d *cdkDeploy) deploy(ctx context.Context, id string) error {
	a := d.artifacts[id]
	if a == nil || d.done[id] {
		return nil
	}
	d.done[id] = true // before what it depends on: a circle ends
	dependencies := slices.Clone(a.Dependencies)
	slices.Sort(dependencies)
	for _, other := range dependencies {
		if err := d.deploy(ctx, other); err != nil {
			return err
		}
	}
	switch a.Type {
	case "cdk:asset-manifest":
		return d.assets(ctx, filepath.Join(a.dir, a.Properties.File), a.dir)
	case "aws:cloudformation:stack":
		return d.stack(ctx, a)
	}
	return nil
}

func (d *cdkDeploy) stack(ctx context.Context, a *cdkArtifact) error {
	account, region, _ := strings.Cut(strings.TrimPrefix(a.Environment, "aws://"), "/")
	if account != "unknown-account" && account != d.account || region != "unknown-region" && region != d.target.region {
		return fmt.Errorf("stack %s is for %s, and this server is aws://%s/%s: give the stack that environment, or none", a.stack(), a.Environment, d.account, d.target.region)
	}
	text, err := os.ReadFile(filepath.Join(a.dir, a.Properties.TemplateFile))
	if err != nil {
		return err
	}
	if len(text) > maxTemplateFile {
		return usage("%s is larger than %d bytes, which a template may have", a.Properties.TemplateFile, maxTemplateFile)
	}
	var template struct {
		Parameters map[string]yaml.Node `yaml:"Parameters"`
	}
	if err := yaml.Unmarshal(text, &template); err != nil { // JSON is YAML
		return usage("%s: %v", a.Properties.TemplateFile, err)
	}
	s := &stackDeploy{
		Context: d.Context, target: d.target, api: d.target.stacks(), name: a.stack(), template: text, parameters: map[string]string{},
		tags: a.Properties.Tags, protect: a.Properties.TerminationProtection,
	}
	for name := range template.Parameters {
		s.names = append(s.names, name)
		if value, given := d.parameters[name]; given { // the parameters of all stacks are given together
			s.parameters[name] = value
		} else if value, given := a.Properties.Parameters[name]; given {
			s.parameters[name] = value
		}
	}
	return s.run(ctx)
}

// assets uploads what an asset manifest names.
func (d *cdkDeploy) assets(ctx context.Context, path, dir string) error {
	var all cdkAssets
	if err := readJSON(path, &all); err != nil {
		return err
	}
	if len(all.DockerImages) > 0 {
		return fmt.Errorf("%s has %s: Hearth runs no container images", path, plural(len(all.DockerImages), "Docker image"))
	}
	place := strings.NewReplacer("${AWS::AccountId}", d.account, "${AWS::Region}", d.target.region, "${AWS::Partition}", "aws")
	for id, file := range all.Files {
		if len(file.Source.Executable) > 0 {
			return fmt.Errorf("%s: asset %s is made by a program, which is not supported: let cdk deploy do it", path, id)
		}
		data, err := assetOf(filepath.Join(dir, file.Source.Path), file.Source.Packaging)
		if err != nil {
			return fmt.Errorf("asset %s: %w", id, err)
		}
		for _, to := range file.Destinations {
			if err := d.upload(ctx, file.Source.Path, data, place.Replace(to.BucketName), place.Replace(to.ObjectKey)); err != nil {
				return err
			}
		}
	}
	return nil
}

func assetOf(path, packaging string) ([]byte, error) {
	if packaging == "zip" {
		data, _, err := archive(path)
		return data, err
	}
	return os.ReadFile(path)
}
