package install

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// debian installs a package that brings the interpreter of a runtime.
func (i *Installer) debian(ctx context.Context, name, pack string) (string, error) {
	apt, err := exec.LookPath("apt-get")
	if err != nil {
		return "", fmt.Errorf("%s: this machine has no apt-get: install it by other means, such as mise, uv or SDKMAN, whose folders are looked into, or name it with \"runtimes { %s /path }\"", name, name)
	}
	command := "apt-get install --yes --no-install-recommends "
	if os.Geteuid() != 0 {
		return "", fmt.Errorf("%s: only root can install packages of the machine; run: sudo %s", name, command+pack)
	}
	version, err := i.candidate(ctx, apt, pack)
	if err != nil {
		return "", fmt.Errorf("%s: %w: install it by other means, such as mise, uv or SDKMAN, whose folders are looked into, or name it with \"runtimes { %s /path }\"", name, err, name)
	}
	i.Say("installing the package %s", pack)
	// With the version: a name that is no package's is a regular expression for apt.
	if _, err := i.run(ctx, "/", apt, strings.Fields(command + pack + "=" + version)[1:]...); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	in, warning, err := runtimes.NewFinder(nil, i.Dir).Find(name)
	if err == nil && warning != "" {
		err = errors.New(warning)
	}
	if err != nil {
		return "", fmt.Errorf("%s: the package %s is installed, and serves it not: %w", name, pack, err)
	}
	return name + " by the package " + pack + ": " + in.Path, nil
}

// candidate is the version of a package that Debian would install, after a look at what
// is new if need be.
func (i *Installer) candidate(ctx context.Context, apt, pack string) (string, error) {
	for again := range 2 {
		if again == 1 {
			if os.Geteuid() != 0 {
				break
			}
			if _, err := i.run(ctx, "/", apt, "update", "--quiet=2"); err != nil {
				return "", err
			}
		}
		out, err := i.run(ctx, "/", "apt-cache", "policy", pack)
		if err != nil {
			return "", err
		}
		// Not of packages that have it in their names.
		if rest, ok := strings.CutPrefix(string(out), pack+":\n"); ok {
			_, rest, _ = strings.Cut(rest, "Candidate: ")
			if version, _, _ := strings.Cut(rest, "\n"); version != "" && version != "(none)" {
				return version, nil
			}
		}
	}
	return "", fmt.Errorf("this machine's packages have no %s", pack)
}

// boto3Package is Debian's package of boto3. Its dependencies are other packages.
const boto3Package = "python3-boto3"

// pythonPackages are boto3's package and its dependencies, without Python itself.
func (i *Installer) pythonPackages(ctx context.Context) ([]string, error) {
	out, err := i.run(ctx, "/", "apt-cache", "depends", "--recurse", "--no-pre-depends", "--no-recommends", "--no-suggests",
		"--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances", boto3Package)
	if err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.Lines(string(out)) {
		name := strings.TrimRight(line, "\n")
		own := name == "python3-minimal" || name == "python3-distutils" || name == "python3-lib2to3"
		if strings.HasPrefix(name, "python3-") && !own && !strings.Contains(name, ":") {
			names = append(names, name)
		}
	}
	if slices.Sort(names); len(names) == 0 || len(names) > maxPythonPackages {
		return nil, fmt.Errorf("apt-cache says that %s needs %d packages", boto3Package, len(names))
	}
	return slices.Compact(names), nil
}

// maxPythonPackages is many more than boto3 needs.
const maxPythonPackages = 64

// boto3MB is how many MB the packages take while they are installed.
const boto3MB = 400

// boto3 unpacks Debian's packages of boto3 for every Python, without installing them on the
// machine. apt checks the packages that it fetches.
func (i *Installer) boto3(ctx context.Context) (string, error) {
	apt, err := exec.LookPath("apt-get")
	if err != nil {
		return "", errors.New("boto3: this machine has no apt-get: run \"pip install --target FOLDER boto3\" and name the folder with \"runtimes { boto3 FOLDER }\"")
	}
	if _, err := i.candidate(ctx, apt, boto3Package); err != nil {
		return "", fmt.Errorf("boto3: %w: run apt-get update, or \"pip install --target FOLDER boto3\" and name the folder with \"runtimes { boto3 FOLDER }\"", err)
	}
	if err := i.room(boto3MB); err != nil {
		return "", err
	}
	work, err := i.stage()
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	i.Say("fetching boto3 and what it needs from the machine's package archive")
	names, err := i.pythonPackages(ctx)
	if err != nil {
		return "", fmt.Errorf("boto3: %w", err)
	}
	if _, err := i.run(ctx, work, apt, append([]string{"download", "--quiet=2"}, names...)...); err != nil {
		return "", fmt.Errorf("boto3: %w", err)
	}
	packed, err := filepath.Glob(filepath.Join(work, "*.deb"))
	if err != nil || len(packed) == 0 {
		return "", errors.New("boto3: apt-get has fetched nothing")
	}
	unpacked := filepath.Join(work, "unpacked")
	for _, one := range packed {
		if _, err := i.run(ctx, work, "dpkg-deb", "--extract", one, unpacked); err != nil {
			return "", fmt.Errorf("boto3: %w", err)
		}
	}
	folder := filepath.Join(unpacked, "usr", "lib", "python3", "dist-packages")
	info, err := os.Stat(filepath.Join(folder, "boto3"))
	if err != nil || !info.IsDir() {
		return "", errors.New("boto3: it is not in the package where it is expected")
	}
	whole := filepath.Join(work, "sdk")
	if err := os.Rename(folder, whole); err != nil {
		return "", err
	}
	if python, err := exec.LookPath("python3"); err == nil {
		const script = "import sys; sys.path.insert(0, sys.argv[1]); import boto3; boto3.client('s3', region_name='us-east-1')"
		if _, err := i.run(ctx, "/", python, "-I", "-S", "-B", "-c", script, whole); err != nil {
			return "", fmt.Errorf("boto3 of this machine's package archive does not work with its python3: %w", err)
		}
	}
	name := filepath.Join(i.Dir, "sdk", "python")
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return "", err
	}
	if err := link(whole, name); err != nil {
		return "", err
	}
	return fmt.Sprintf("boto3 in %s (%d MB)", name, size(name+"/.")>>20), nil
}
