package install

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// An Installer installs into a folder.
type Installer struct {
	Dir string
	// Say tells a person what is being done.
	Say func(format string, args ...any)
}

// timeout bounds one install: every client of an SDK over a slow line.
const timeout = 30 * time.Minute

var sdkPackage = regexp.MustCompile(`^@aws-sdk/[a-z0-9-]+$`)

// Install installs what names say, and returns a sentence on each.
func (i *Installer) Install(ctx context.Context, names []string) ([]string, error) {
	var packages []string
	steps := make([]func(context.Context) (string, error), 0, len(names))
	for _, name := range names {
		switch {
		case name == runtimes.SDKNode:
			packages = append(packages, allClients()...)
		case sdkPackage.MatchString(name):
			packages = append(packages, name)
		case name == runtimes.SDKNodeV2:
			steps = append(steps, i.sdkV2)
		case name == runtimes.SDKPython:
			steps = append(steps, i.boto3)
		default:
			step, err := i.interpreter(name)
			if err != nil {
				return nil, err
			}
			steps = append(steps, step)
		}
	}
	if len(packages) > 0 {
		steps = append(steps, func(ctx context.Context) (string, error) { return i.sdk(ctx, packages) })
	}
	unlock, err := i.lock()
	if err != nil {
		return nil, err
	}
	var done []string
	for _, step := range steps {
		said, stepErr := step(ctx)
		if err = stepErr; err != nil {
			break
		}
		done = append(done, said)
	}
	return done, errors.Join(err, unlock())
}

// interpreter is the step that installs what a runtime asks for.
func (i *Installer) interpreter(runtime string) (func(context.Context) (string, error), error) {
	family, version, err := runtimes.Named(runtime)
	if err != nil {
		return nil, fmt.Errorf("%q cannot be installed (%w); beside runtimes there are aws-sdk, @aws-sdk/client-NAME, aws-sdk-v2 and boto3", runtime, err)
	}
	pack := family + version
	switch family {
	case runtimes.FamilyNode:
		return func(ctx context.Context) (string, error) { return i.node(ctx, version) }, nil
	case runtimes.FamilyJava:
		pack = "openjdk-" + version + "-jre-headless"
	}
	return func(ctx context.Context) (string, error) { return i.debian(ctx, runtime, pack) }, nil
}

// maxOutput bounds what is kept of a program's output, in bytes.
const maxOutput = 1 << 20

// run runs a program in dir and returns its standard output. The error has the end of its
// standard error.
func (i *Installer) run(ctx context.Context, dir, program string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &bounded{to: &out}, &bounded{to: &problems}
	cmd.WaitDelay = time.Second
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if err := cmd.Run(); err != nil {
		said := strings.TrimSpace(problems.String())
		if len(said) > 1000 {
			said = said[len(said)-1000:]
		}
		return nil, fmt.Errorf("%w: %s", err, said)
	}
	return out.Bytes(), nil
}

// bounded keeps the beginning of what is written.
type bounded struct{ to *bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	b.to.Write(p[:min(len(p), maxOutput-b.to.Len())])
	return len(p), nil
}

var _ io.Writer = (*bounded)(nil)
