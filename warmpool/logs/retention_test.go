package logs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

func contents(t *testing.T, g *Group) string {
	t.Helper()
	var all strings.Builder
	for e, err := range g.Events(t.Context(), Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(e.Message)
	}
	return all.String()
}

func TestRetentionOfAGroupIsItsOwnAndSurvives(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, Config{Dir: dir, Retention: -1})
	for _, name := range []string{"short", "others"} {
		group(t, s, name).Stream("1", "e", time.Now()).Line(time.Now(), "", []byte("old"))
	}
	if err := group(t, s, "short").SetRetention(1); err != nil {
		t.Fatal(err)
	}
	if err := group(t, s, "short").SetRetention(-1); err == nil {
		t.Error("a negative retention was taken")
	}
	s.Close()
	old := time.Now().Add(-25 * time.Hour)
	for _, name := range []string{"short", "others"} {
		files, err := filepath.Glob(filepath.Join(dir, name, "*.log"))
		if err != nil || len(files) != 1 {
			t.Fatalf("%q, %v", files, err)
		}
		if err := os.Chtimes(files[0], old, old); err != nil {
			t.Fatal(err)
		}
	}
	s = openStore(t, Config{Dir: dir, Retention: -1})
	if days := group(t, s, "short").Retention(); days != 1 {
		t.Errorf("the retention is %d days after a restart, want 1", days)
	}
	if left := contents(t, group(t, s, "short")); left != "" {
		t.Errorf("after its retention the group holds %q", left)
	}
	if left := contents(t, group(t, s, "others")); left != "old\n" {
		t.Errorf("the other group holds %q", left)
	}
	if err := group(t, s, "short").SetRetention(0); err != nil || group(t, s, "short").Retention() != 0 {
		t.Errorf("%v", err)
	}
}

func TestDamagedRetentionIsNamed(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "f"), 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "f", retentionFile)
	if err := os.WriteFile(path, []byte("for ever"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: dir}, zap.NewNop()); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error that names %s", err, path)
	}
}

func TestRemovedGroupBeginsAnew(t *testing.T) {
	s := openStore(t, Config{})
	g := group(t, s, "f")
	stream := g.Stream("1", "e", time.Now())
	stream.Line(time.Now(), "", []byte("before"))
	if err := g.SetRetention(3); err != nil {
		t.Fatal(err)
	}
	if err := g.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := contents(t, g); left != "" || g.Size() != 0 || g.Retention() != 0 || len(s.Groups()) != 0 {
		t.Errorf("after it was removed the group holds %q, %d bytes, for %d days", left, g.Size(), g.Retention())
	}
	stream.Line(time.Now(), "", []byte("after"))
	if left := contents(t, g); left != "after\n" {
		t.Errorf("the group holds %q, want what was logged after", left)
	}
	s.Close()
	if err := g.Remove(t.Context()); err != ErrClosed {
		t.Errorf("got %v, want ErrClosed", err)
	}
}
