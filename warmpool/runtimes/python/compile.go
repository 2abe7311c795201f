package python

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Compile compiles the bootstrap in dir for an interpreter of the given version,
// such as "3.11.2", which then starts in two thirds of the time. In the sandbox the
// folder is read-only, so Python could not do that by itself. It returns at once
// when all is compiled already.
func Compile(ctx context.Context, interpreter, version, dir string) error {
	if compiled(version, dir) {
		return nil
	}
	cmd := exec.CommandContext(ctx, interpreter, "-I", "-S", "-m", "compileall", "-q", dir)
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compile the bootstrap of Python %s: %w: %.1000s", version, err, bytes.TrimSpace(out))
	}
	return nil
}

// compiled reports whether every file has been compiled since it was written.
func compiled(version, dir string) bool {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	for name := range Files() {
		source, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			return false
		}
		cache := strings.TrimSuffix(name, ".py") + ".cpython-" + major + minor + ".pyc"
		code, err := os.Stat(filepath.Join(dir, "__pycache__", cache))
		if err != nil || code.ModTime().Before(source.ModTime()) {
			return false
		}
	}
	return true
}
