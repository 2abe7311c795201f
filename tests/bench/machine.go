package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// machine is what figures must be read with.
type machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Caddy  string `json:"caddy"`
	Node   string `json:"node"`
	Python string `json:"python"`
}

func thisMachine(ctx context.Context, caddy string) (machine, error) {
	m := machine{CPU: cpuModel(), Cores: runtime.NumCPU(), Go: runtime.Version()}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return machine{}, fmt.Errorf("uname: %w", err)
	}
	m.Kernel = unix.ByteSliceToString(uts.Release[:])
	for _, program := range []struct {
		version *string
		argv    []string
	}{
		{&m.Caddy, []string{caddy, "version"}},
		{&m.Node, []string{"node", "--version"}},
		{&m.Python, []string{"python3", "--version"}},
	} {
		output, err := exec.CommandContext(ctx, program.argv[0], program.argv[1:]...).Output()
		if err != nil {
			return machine{}, fmt.Errorf("%s: %w", strings.Join(program.argv, " "), err)
		}
		*program.version = firstVersion(string(output))
	}
	return m, nil
}

var versionPattern = regexp.MustCompile(`\d+\.\d+(\.\d+)?`)

func firstVersion(text string) string { return versionPattern.FindString(text) }

// nodeRuntime is the Lambda name of the Node.js on PATH.
func (m machine) nodeRuntime() string {
	major, _, _ := strings.Cut(m.Node, ".")
	return "nodejs" + major + ".x"
}

// pythonRuntime is the Lambda name of the Python on PATH.
func (m machine) pythonRuntime() string {
	parts := strings.SplitN(m.Python, ".", 3)
	return "python" + strings.Join(parts[:min(2, len(parts))], ".")
}

func cpuModel() string {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func (m machine) String() string {
	return fmt.Sprintf("%d cores (%s), Linux %s, Go %s, Caddy %s, Node.js %s, Python %s",
		m.Cores, m.CPU, m.Kernel, strings.TrimPrefix(m.Go, "go"), m.Caddy, m.Node, m.Python)
}
