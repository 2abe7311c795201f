package install

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// architectures are npm's names for Go's that Lambda has.
var architectures = map[string]string{"amd64": "x64", "arm64": "arm64"}

// nodeMB is what Node.js takes while it is installed: packed, and unpacked.
const nodeMB = 400

// node installs Node.js of a major version.
func (i *Installer) node(ctx context.Context, major string) (string, error) {
	n, err := strconv.Atoi(major)
	arch, ok := architectures[runtime.GOARCH]
	if err != nil || !ok {
		return "", fmt.Errorf("npm has no Node.js %q for %s: install it yourself and name it with \"runtimes { nodejs%s.x /path/to/node }\"", major, runtime.GOARCH, major)
	}
	if err := i.room(nodeMB); err != nil {
		return "", err
	}
	work, err := i.stage()
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	name := "node-linux-" + arch
	i.Say("fetching %s@%s", name, major)
	packed, err := i.fetch(ctx, name, n, work)
	if err != nil {
		return "", err
	}
	file, err := os.Open(packed)
	if err != nil {
		return "", err
	}
	defer file.Close()
	folder := filepath.Join(work, "node")
	if err := unpack(file, folder, func(name string) bool { return name == "bin/node" || name == "LICENSE" }); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	program := filepath.Join(folder, "bin", "node")
	if err := os.Chmod(program, 0o755); err != nil {
		return "", fmt.Errorf("%s holds no Node.js: %w", name, err)
	}
	out, err := i.run(ctx, folder, program, "--version")
	if err != nil {
		return "", fmt.Errorf("the Node.js of %s does not run on this machine: %w", name, err)
	}
	version := strings.TrimPrefix(string(bytes.TrimSpace(out)), "v")
	if v, ok := numbers(version); !ok || v[0] != n {
		return "", fmt.Errorf("the Node.js of %s says it is %.40q", name, version)
	}
	target := filepath.Join(i.Dir, "node-"+version)
	if err := place(folder, target); err != nil {
		return "", err
	}
	return fmt.Sprintf("Node.js %s in %s (%d MB)", version, target, size(target)>>20), nil
}
