package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// quickShell is a copy of the machine's sh in the skeleton, for the steps before the
// command where sh itself is bash: dash starts in a third of the time.
const quickShell = "/var/rapid/sh"

// findShell has /bin/sh be bash, as it is on Lambda, whose scripts count on that
// (set -o pipefail, source). Only dash gives way, to which Debian's and its
// descendants' sh leads: it is that one program, and bash does all that it does. A
// busybox is many programs in one, and any other sh is the machine owner's choice.
func (s *Sandbox) findShell() error {
	sh, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil || filepath.Base(sh) != "dash" {
		return nil
	}
	bash, err := exec.LookPath("/bin/bash")
	if err == nil {
		bash, err = filepath.EvalSymlinks(bash)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find bash: %w", err)
	}
	quick := filepath.Join(s.skeleton.root, quickShell)
	if err := mkdirAll(filepath.Dir(quick)); err != nil {
		return err
	}
	if err := copyFile(sh, quick); err != nil {
		return err
	}
	if err := os.Chmod(quick, 0o755); err != nil {
		return err
	}
	s.bash = Mount{Source: bash, Target: sh}
	s.tools.sh = quickShell
	return nil
}
