package examples

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
	"github.com/hearthfn/hearth/tests/objectstore"
)

// The example as a newcomer runs it: a real MinIO, its own notifications, the real
// function, thumbnails in another bucket.
func TestPicturesInABucketBecomeThumbnails(t *testing.T) {
	harness.Slow(t, "npm installs")
	harness.Parallel(t)
	minio := objectstore.MinIO(t) // built before the clock runs
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "./minio.sh", "--once")
	cmd.Dir = "../../examples/thumbnail-s3"
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(minio)+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	var out, log strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v:\n%s", err, log.String())
	}
	for _, name := range []string{"2026/a day out.jpg", "2026/turned.jpg", "square+1.jpg"} {
		if !strings.Contains(out.String(), name) {
			t.Errorf("there is no thumbnail %s:\n%s\n%s", name, out.String(), log.String())
		}
	}
	harness.Eventually(t, "what the example started has ended", func() bool { return syscall.Kill(-cmd.Process.Pid, 0) == syscall.ESRCH })
}
