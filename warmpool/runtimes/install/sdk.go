package install

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// clients are the packages that make the whole of the AWS SDK for JavaScript v3, without
// @aws-sdk/ before them: its clients, and the libraries that functions import.
//
//go:embed clients.txt
var clients string

func allClients() []string {
	var all []string
	for name := range strings.FieldsSeq(clients) {
		all = append(all, "@aws-sdk/"+name)
	}
	return all
}

// What SDKs take while they are installed, in MB: the whole, and beside that each
// package of it.
const (
	sdkMB     = 200
	packageMB = 6
)

// A manifest is a package.json.
type manifest struct {
	Name     string            `json:"name,omitempty"`
	Version  string            `json:"version,omitempty"`
	Main     string            `json:"main,omitempty"`
	Private  bool              `json:"private,omitempty"`
	Exports  json.RawMessage   `json:"exports,omitempty"`
	Required map[string]string `json:"dependencies,omitempty"`
	// Optional are packages that npm may leave out.
	Optional map[string]string `json:"optionalDependencies,omitempty"`
}

func readManifest(folder string) (m manifest, err error) {
	text, err := os.ReadFile(filepath.Join(folder, "package.json"))
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	return m, err
}

// sdk installs packages of the AWS SDK for JavaScript v3, in addition to the installed ones.
// All get the newest version.
func (i *Installer) sdk(ctx context.Context, packages []string) (string, error) {
	name := filepath.Join(i.Dir, "sdk", "nodejs")
	wanted := manifest{Private: true, Required: map[string]string{}, Optional: map[string]string{}}
	if before, err := readManifest(name); err == nil {
		for _, there := range []map[string]string{before.Required, before.Optional} {
			packages = append(packages, slices.Collect(maps.Keys(there))...)
		}
	}
	slices.Sort(packages)
	packages = slices.Compact(packages)
	known := allClients()
	for _, one := range packages {
		// A package that npm no longer has is optional, so that it does not prevent the others.
		// The first one is required, so that an unreachable registry is an error.
		if len(packages) >= len(known) && slices.Contains(known, one) && one != firstPackage {
			wanted.Optional[one] = "latest"
		} else {
			wanted.Required[one] = "latest"
		}
	}
	i.Say("fetching %d packages of the AWS SDK for JavaScript", len(packages))
	return i.install(ctx, name, wanted, len(packages))
}

// firstPackage must be there for the whole SDK to count as installed.
const firstPackage = "@aws-sdk/client-s3"

// maxAbsent is how many packages of the whole SDK npm may lack.
const maxAbsent = 20

// sdkV2 installs the AWS SDK for JavaScript v2.
func (i *Installer) sdkV2(ctx context.Context) (string, error) {
	i.Say("fetching the AWS SDK for JavaScript v2")
	return i.install(ctx, filepath.Join(i.Dir, "sdk", "nodejs-v2"), manifest{Private: true, Required: map[string]string{"aws-sdk": "2"}}, 20)
}

// install has npm install the packages of a manifest, and has name lead to them.
func (i *Installer) install(ctx context.Context, name string, wanted manifest, packages int) (string, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", errors.New("npm is needed for the AWS SDK, and is not there: install it (apt-get install npm)")
	}
	if err := i.room(sdkMB + packages*packageMB); err != nil {
		return "", err
	}
	work, err := i.stage()
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	folder := filepath.Join(work, "sdk")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	text, err := json.Marshal(wanted)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(folder, "package.json"), text, 0o644); err != nil {
		return "", err
	}
	// npm checks each package by its sha512.
	_, err = i.run(ctx, folder, npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=2")
	if err != nil {
		return "", fmt.Errorf("npm could not install it: %w", err)
	}
	var absent []string
	version := ""
	for _, one := range slices.Sorted(maps.Keys(all(wanted))) {
		m, err := readManifest(filepath.Join(folder, "node_modules", one))
		if err != nil {
			absent = append(absent, one)
			continue
		}
		version = m.Version
	}
	if len(absent) > maxAbsent {
		return "", fmt.Errorf("npm has left out %d of %d packages, %s the first: try again", len(absent), packages, absent[0])
	}
	if err := prune(filepath.Join(folder, "node_modules")); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return "", err
	}
	if err := link(folder, name); err != nil {
		return "", err
	}
	said := fmt.Sprintf("AWS SDK for JavaScript %s, %d packages, in %s (%d MB)", version, len(all(wanted))-len(absent), name, size(name+"/.")>>20)
	if len(absent) > 0 {
		said += "; npm does not have " + strings.Join(absent, ", ")
	}
	return said, nil
}

func all(m manifest) map[string]string {
	every := maps.Clone(m.Required)
	maps.Copy(every, m.Optional)
	return every
}

// prune removes from the packages of AWS what Node.js never reads: types, and modules
// for bundlers, three quarters of all.
func prune(modules string) error {
	for _, scope := range []string{"@aws-sdk", "@smithy"} {
		packages, err := os.ReadDir(filepath.Join(modules, scope))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, one := range packages {
			folder := filepath.Join(modules, scope, one.Name())
			m, err := readManifest(folder)
			if err != nil {
				return err
			}
			useless := []string{"dist-types", "README.md", "CHANGELOG.md"}
			if strings.Contains(m.Main, "dist-cjs") && !strings.Contains(string(m.Exports), "dist-es") {
				useless = append(useless, "dist-es")
			}
			for _, name := range useless {
				if err := os.RemoveAll(filepath.Join(folder, name)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
