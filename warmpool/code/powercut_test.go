package code

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
)

// A disk is a file system in a file: a copy of the file is what a power cut at that
// moment would have left.
type diskImage struct{ image, mount string }

func newDisk(t *testing.T) *diskImage {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a file system")
	}
	d := &diskImage{filepath.Join(t.TempDir(), "image"), t.TempDir()}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.image, 64<<20); err != nil {
		t.Fatal(err)
	}
	run(t, "mkfs.ext4", "-q", "-F", d.image)
	mountImage(t, d.image, d.mount)
	return d
}

func mountImage(t *testing.T, image, at string) {
	t.Helper()
	if out, err := exec.Command("mount", "-o", "loop", image, at).CombinedOutput(); err != nil {
		t.Skipf("no image can be mounted here: %s", out)
	}
	t.Cleanup(func() { run(t, "umount", at) })
}

func run(t *testing.T, command string, args ...string) {
	t.Helper()
	if out, err := exec.Command(command, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
}

// cut mounts what a power cut now would leave, and returns where.
func (d *diskImage) cut(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	copied := filepath.Join(dir, "image")
	from, err := os.Open(d.image)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.Create(copied)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(dir, "mount")
	if err := os.Mkdir(at, 0o755); err != nil {
		t.Fatal(err)
	}
	mountImage(t, copied, at)
	return at
}

// What an upload has answered for is there after a power cut in the same moment, and
// what was not synced is not: else the test would prove nothing.
func TestCodeSurvivesAPowerCut(t *testing.T) {
	d := newDisk(t)
	s, err := OpenStore(filepath.Join(d.mount, "code"), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	one := add(t, s, file{"index.js", strings.Repeat("exports.h = 1\n", 1000), 0}, file{"lib/deep/x", "x", 0o755}, file{"link", "lib", fs.ModeSymlink | 0o777})
	two := add(t, s, file{"nodejs/y", "y", 0})
	tree, err := s.Unpack(t.Context(), one.Digest)
	if err != nil {
		t.Fatal(err)
	}
	merged, err := s.Layers(t.Context(), []string{tree, s.Tree(two.Digest)})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.mount, "not-synced"), bytes.Repeat([]byte("x"), 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	after := d.cut(t)
	for _, path := range []string{s.path("archive", string(one.Digest)), s.path("archive", string(two.Digest)), tree, merged} {
		rel, err := filepath.Rel(d.mount, path)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := treeOrFile(t, filepath.Join(after, rel)), treeOrFile(t, path); got != want {
			t.Errorf("%s after the power cut:\n%.300q, not\n%.300q", rel, got, want)
		}
	}
	if b, err := os.ReadFile(filepath.Join(after, "not-synced")); err == nil && len(b) > 0 {
		t.Error("a file that was not synced is there: this disk loses nothing")
	}
}

func treeOrFile(t *testing.T, path string) string {
	t.Helper()
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return look(t, path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}
