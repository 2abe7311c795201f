package code

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// A Follower reports when a code folder changes. It watches the folder and all folders in it,
// except below the folders that only tools write (skipped). Those have most of the files and
// hardly ever the ones that are being edited, and the number of watches of the system is
// bounded.
type Follower struct {
	root    string
	changed func()
	watcher *Watcher

	dirs map[string]struct{} // what is watched; guarded by the watcher's mu

	mu      sync.Mutex // guards what follows; taken before the watcher's
	closed  bool
	anchors map[string]bool // root, and the symbolic links on the way to it
	parents map[string]bool // the folders that hold them
}

// skipped are folders whose inside is not followed. They themselves are, so that
// adding or removing a package is noticed.
var skipped = map[string]bool{"node_modules": true, ".git": true, "__pycache__": true, ".venv": true}

// rescan is how often a folder that has vanished is looked for again: deployment
// tools replace a folder by renaming another into its place.
const rescan = 200 * time.Millisecond

// Follow calls changed, on the watcher's goroutine, soon after anything in the folder root
// has changed. changed must not block, and must not call the follower or the watcher.
// Close ends it.
func (w *Watcher) Follow(root string, changed func()) (*Follower, error) {
	f := &Follower{root: filepath.Clean(root), changed: changed, watcher: w,
		dirs: make(map[string]struct{}), anchors: make(map[string]bool), parents: make(map[string]bool)}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.add(f.root); err != nil {
		return nil, errors.Join(fmt.Errorf("follow %s: %w", root, err), w.forget(f))
	}
	return f, nil
}

// Close ends the following and returns when changed is not called any more.
func (f *Follower) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return f.watcher.forget(f)
}

// anchor watches for the replacement of root, or of a symbolic link on the way
// to it: tools that deploy often turn such a link to another folder.
func (f *Follower) anchor() error {
	for path := f.root; path != filepath.Dir(path); path = filepath.Dir(path) {
		if info, err := os.Lstat(path); path != f.root && (err != nil || info.Mode()&fs.ModeSymlink == 0) {
			continue
		}
		if err := f.watcher.watch(f, filepath.Dir(path)); err != nil {
			return err
		}
		f.anchors[path], f.parents[filepath.Dir(path)] = true, true
	}
	return nil
}

// add watches dir and the folders below it. It watches the real folder that root leads to.
func (f *Follower) add(dir string) error {
	isRoot := dir == f.root // which is followed whatever its name
	if isRoot {
		if err := f.anchor(); err != nil {
			return err
		}
		resolved, err := filepath.EvalSymlinks(dir)
		if err != nil {
			return err
		}
		dir = resolved
	}
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone while we look
		}
		if err != nil || !entry.IsDir() {
			return err
		}
		if err := f.watcher.watch(f, path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if !(isRoot && path == dir) && skipped[entry.Name()] {
			return filepath.SkipDir
		}
		return nil
	})
}

// handle takes an event that concerns f. It returns true if root must be looked up again.
func (f *Follower) handle(event fsnotify.Event) (lost bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || !f.concerns(event) {
		return false
	}
	if event.Has(fsnotify.Create) {
		lost = f.refresh(event.Name) != nil
	}
	if f.anchors[event.Name] && event.Has(fsnotify.Remove|fsnotify.Rename) {
		lost = true
	}
	f.changed()
	return lost
}

// restored looks for a root that was lost. It is true if the root is back or the follower
// is closed.
func (f *Follower) restored() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return true
	}
	if !exists(f.root) || f.add(f.root) != nil {
		return false
	}
	f.changed()
	return true
}

// report reports a change.
func (f *Follower) report() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.changed()
	}
}

// concerns reports whether an event is about root, or something in it, or a link
// on the way to it; the folders that hold these are watched too. It needs mu.
func (f *Follower) concerns(event fsnotify.Event) bool {
	return f.anchors[event.Name] || !f.parents[filepath.Dir(event.Name)]
}

// refresh watches what has been created, if it is a folder, and not one in a
// folder whose inside is not followed.
func (f *Follower) refresh(path string) error {
	if f.anchors[path] {
		path = f.root
	}
	if parent := filepath.Dir(path); path != f.root && parent != f.root && skipped[filepath.Base(parent)] {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return nil // a file, or gone again
	}
	return f.add(path)
}
