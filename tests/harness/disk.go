package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// SmallDisk makes the data directory a disk of its own, of so many MB, with a file of
// half of that; free removes the file.
func (s *Server) SmallDisk(megabytes int) (free func()) {
	s.T.Helper()
	if os.Getuid() != 0 {
		s.T.Skip("only root can mount a small disk")
	}
	data := filepath.Join(s.Dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		s.T.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm", megabytes), "tmpfs", data).CombinedOutput(); err != nil {
		s.T.Skipf("no disk can be mounted here: %s", out)
	}
	s.T.Cleanup(func() {
		if out, err := exec.Command("umount", data).CombinedOutput(); err != nil {
			s.T.Errorf("umount: %s", out)
		}
	})
	ballast := filepath.Join(data, "ballast")
	if err := os.WriteFile(ballast, make([]byte, megabytes<<19), 0o600); err != nil {
		s.T.Fatal(err)
	}
	return func() {
		if err := os.Remove(ballast); err != nil {
			s.T.Fatal(err)
		}
	}
}

// FillDisk takes all the space that there is left for the data directory.
func (s *Server) FillDisk() {
	s.T.Helper()
	rest, err := os.Create(filepath.Join(s.Dir, "data", "rest"))
	if err != nil {
		s.T.Fatal(err)
	}
	defer rest.Close()
	for err == nil {
		_, err = rest.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		s.T.Fatal(err)
	}
}
