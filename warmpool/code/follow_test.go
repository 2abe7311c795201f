package code

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A folder is one that is followed.
type folder struct {
	t        *testing.T
	root     string
	told     chan []string // for each change that is told, what is watched by then
	barriers int
}

func newWatcher(t *testing.T) *Watcher {
	t.Helper()
	w, err := NewWatcher(zap.NewNop())
	must(t, err)
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func follow(t *testing.T, root string) *folder {
	t.Helper()
	return newWatcher(t).follow(t, root)
}

func (w *Watcher) follow(t *testing.T, root string) *folder {
	t.Helper()
	f := &folder{t: t, root: root, told: make(chan []string, 1000)}
	follower, err := w.Follow(root, func() { f.told <- w.watcher.WatchList() })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := follower.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// await waits until a change is told, and returns what is watched then.
func (f *folder) await(what string) []string {
	f.t.Helper()
	select {
	case watched := <-f.told:
		return watched
	case <-time.After(10 * time.Second):
		f.t.Fatalf("nothing is told of %s", what)
		return nil
	}
}

// awaitWatch waits until a change is told after which path is watched.
func (f *folder) awaitWatch(path string) []string {
	f.t.Helper()
	for {
		if watched := f.await(path); slices.Contains(watched, path) {
			return watched
		}
	}
}

// barrier waits until all that has happened so far has been told: events come
// in order, so it makes a folder, which is a single event, and waits for that.
// It returns what is watched then.
func (f *folder) barrier() []string {
	f.t.Helper()
	f.barriers++
	path := filepath.Join(f.root, "barrier"+strconv.Itoa(f.barriers))
	mkdir(f.t, path)
	resolved, err := filepath.EvalSymlinks(path)
	must(f.t, err)
	return f.awaitWatch(resolved)
}

func write(t *testing.T, path string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte("exports.handler = async () => {}"), 0o644))
}

func mkdir(t *testing.T, path string) string {
	t.Helper()
	must(t, os.MkdirAll(path, 0o755))
	return path
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEachKindOfChangeIsTold(t *testing.T) {
	for what, change := range map[string]func(t *testing.T, root string){
		"an edit":                 func(t *testing.T, root string) { write(t, root+"/index.js") },
		"an edit below":           func(t *testing.T, root string) { write(t, root+"/lib/deep/a.js") },
		"a new file":              func(t *testing.T, root string) { write(t, root+"/new.js") },
		"a file that is deleted":  func(t *testing.T, root string) { must(t, os.Remove(root+"/index.js")) },
		"a file that is renamed":  func(t *testing.T, root string) { must(t, os.Rename(root+"/index.js", root+"/main.js")) },
		"a file that is replaced": func(t *testing.T, root string) { must(t, os.Rename(root+"/../index.js", root+"/index.js")) },
		"a folder that is gone":   func(t *testing.T, root string) { must(t, os.RemoveAll(root+"/lib")) },
		"a new package":           func(t *testing.T, root string) { mkdir(t, root+"/node_modules/left-pad") },
	} {
		t.Run(what, func(t *testing.T) {
			parent := t.TempDir()
			root := mkdir(t, parent+"/code")
			mkdir(t, root+"/lib/deep")
			mkdir(t, root+"/node_modules")
			for _, file := range []string{"/index.js", "/lib/deep/a.js", "/../index.js"} {
				write(t, root+file)
			}
			f := follow(t, root)
			change(t, root)
			f.await(what)
		})
	}
}

func TestWhatIsBesideTheFolderIsNotTold(t *testing.T) {
	parent := t.TempDir()
	root := mkdir(t, parent+"/code")
	f := follow(t, root)
	write(t, parent+"/README.md")
	mkdir(t, parent+"/other")
	must(t, os.Chmod(root, 0o700))
	mkdir(t, root+"/last")
	watched := f.await("the new folder")
	if !slices.Contains(watched, root+"/last") {
		t.Error("what is beside the folder is told")
	}
	if slices.Contains(watched, parent+"/other") {
		t.Errorf("the folder beside is watched: %q", watched)
	}
}

func TestNewSubfolderIsFollowed(t *testing.T) {
	root := t.TempDir()
	f := follow(t, root)
	mkdir(t, root+"/a/b/c")
	f.awaitWatch(root + "/a")
	f.barrier()
	write(t, root+"/a/b/c/new.js")
	f.await("a file in a new folder of a new folder")
}

func TestInsideOfFoldersThatToolsWriteIsNotFollowed(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"node_modules", ".git", "__pycache__", ".venv", "lib"} {
		mkdir(t, root+"/"+name+"/inside/deep")
	}
	f := follow(t, root)
	mkdir(t, root+"/lib/node_modules/inside/deep")
	f.awaitWatch(root + "/lib/node_modules")
	mkdir(t, root+"/node_modules/inside2/deep")
	watched := f.barrier()
	for _, path := range watched {
		if strings.Contains(path, "/inside") && !strings.HasPrefix(path, root+"/lib/inside") {
			t.Errorf("%s is watched", path)
		}
	}
	for _, path := range []string{"/node_modules", "/.git", "/lib/inside/deep", "/lib/node_modules"} {
		if !slices.Contains(watched, root+path) {
			t.Errorf("%s is not watched", path)
		}
	}
	write(t, root+"/node_modules/inside/index.js")
	write(t, root+"/node_modules/inside2/index.js")
	mkdir(t, root+"/last")
	if watched := f.await("the new folder"); !slices.Contains(watched, root+"/last") {
		t.Error("a change inside node_modules is told")
	}
}

func TestFolderOfSuchANameIsFollowedWhenItIsTheCode(t *testing.T) {
	root := mkdir(t, t.TempDir()+"/node_modules")
	f := follow(t, root)
	mkdir(t, root+"/lib")
	f.awaitWatch(root + "/lib")
	f.barrier()
	write(t, root+"/lib/a.js")
	f.await("a file below")
}

func TestFolderThatIsDeletedAndMadeAgainIsFollowed(t *testing.T) {
	root := mkdir(t, t.TempDir()+"/code")
	write(t, root+"/index.js")
	f := follow(t, root)
	must(t, os.RemoveAll(root))
	f.await("the deleted folder")
	mkdir(t, root)
	f.barrier()
	write(t, root+"/index.js")
	f.await("a file in the new folder")
}

func TestFolderThatIsRenamedAwayAndReplacedIsFollowed(t *testing.T) {
	parent := t.TempDir()
	root, next := mkdir(t, parent+"/code"), mkdir(t, parent+"/next")
	mkdir(t, root+"/lib")
	mkdir(t, next+"/lib")
	f := follow(t, root)
	must(t, os.Rename(root, parent+"/last"))
	f.await("the folder that is away")
	must(t, os.Rename(next, root))
	f.barrier()
	write(t, root+"/lib/a.js")
	f.await("a file in the folder that came")
}

func TestLinkThatIsTurnedToAnotherFolderIsFollowed(t *testing.T) {
	parent := t.TempDir()
	one, two := mkdir(t, parent+"/releases/1"), mkdir(t, parent+"/releases/2/lib")
	root := parent + "/current"
	must(t, os.Symlink(one, root))
	f := follow(t, root)
	write(t, one+"/index.js")
	f.await("a file in the first folder")
	f.barrier()
	must(t, os.Symlink(filepath.Dir(two), parent+"/.new"))
	must(t, os.Rename(parent+"/.new", root)) // as deployment tools do, in one step
	f.awaitWatch(two)
	f.barrier()
	write(t, two+"/index.js")
	f.await("a file in the second folder")
}

func TestLinkOnTheWayToTheFolderIsFollowed(t *testing.T) {
	parent := t.TempDir()
	one, two := mkdir(t, parent+"/releases/1/thumb"), mkdir(t, parent+"/releases/2/thumb")
	must(t, os.Symlink(filepath.Dir(one), parent+"/current"))
	f := follow(t, parent+"/current/thumb")
	must(t, os.Symlink(filepath.Dir(two), parent+"/.new"))
	must(t, os.Rename(parent+"/.new", parent+"/current"))
	f.awaitWatch(two)
	f.barrier()
	write(t, two+"/index.js")
	f.await("a file in the second folder")
}

func TestFolderThatIsMissingIsRefusedByName(t *testing.T) {
	root := t.TempDir() + "/nowhere"
	if _, err := newWatcher(t).Follow(root, func() {}); err == nil || !strings.Contains(err.Error(), "follow "+root+": ") {
		t.Errorf("got %v", err)
	}
}

func TestNothingIsToldAfterClose(t *testing.T) {
	root := t.TempDir()
	closed := make(chan struct{})
	w, err := NewWatcher(zap.NewNop())
	must(t, err)
	follower, err := w.Follow(root, func() {
		select {
		case <-closed:
			t.Error("told after Close")
		default:
		}
	})
	must(t, err)
	write(t, root+"/index.js")
	must(t, follower.Close())
	close(closed)
	write(t, root+"/index.js")
	must(t, w.Close())
	goleak.VerifyNone(t)
}

func TestFolderOfTwoFunctionsIsFollowedUntilBothAreClosed(t *testing.T) {
	root := t.TempDir()
	w := newWatcher(t)
	first, err := w.Follow(root, func() {})
	must(t, err)
	second := w.follow(t, root)
	must(t, first.Close())
	write(t, root+"/index.js")
	second.await("a file in the folder that another follower has left")
}

func TestClosedFollowerLeavesNoWatch(t *testing.T) {
	root := t.TempDir()
	mkdir(t, root+"/lib")
	w := newWatcher(t)
	follower, err := w.Follow(root, func() {})
	must(t, err)
	if len(w.watcher.WatchList()) < 2 {
		t.Fatalf("watched are %q", w.watcher.WatchList())
	}
	must(t, follower.Close())
	if left := w.watcher.WatchList(); len(left) > 0 || len(w.dirs) > 0 {
		t.Errorf("left are %q and %d folders", left, len(w.dirs))
	}
}

func TestFollowRefusedLeavesNoWatch(t *testing.T) {
	w := newWatcher(t)
	if _, err := w.Follow(t.TempDir()+"/nowhere", func() {}); err == nil {
		t.Fatal("followed")
	}
	if left := w.watcher.WatchList(); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
}

func TestNeighboursHearOnlyOfTheirOwnChanges(t *testing.T) {
	parent := t.TempDir()
	mkdir(t, parent+"/a")
	mkdir(t, parent+"/b")
	w := newWatcher(t)
	_, err := w.Follow(parent+"/a", func() { t.Error("a is told of b") })
	must(t, err)
	b := w.follow(t, parent+"/b")
	write(t, parent+"/b/index.js")
	b.await("a file in b")
	b.barrier()
}
