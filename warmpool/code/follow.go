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
	"go.uber.org/zap"
)

// A Follower tells when a code folder changes. It follows the folder and all
// folders in it, except below those that only tools write (skipped): they hold
// most of the files and hardly ever what is being edited, and the system's
// number of watches is bounded.
type Follower struct {
	root    string
	changed func()
	log     *zap.Logger
	watcher *fsnotify.Watcher
	done    sync.WaitGroup

	// Touched by Follow and then by run only.
	anchors map[string]bool // root, and the symbolic links on the way to it
	parents map[string]bool // the folders that hold them
}

// skipped are folders whose inside is not followed. They themselves are, so that
// adding or removing a package is noticed.
var skipped = map[string]bool{"node_modules": true, ".git": true, "__pycache__": true, ".venv": true}

// rescan is how often a folder that has vanished is looked for again: deployment
// tools replace a folder by renaming another into its place.
const rescan = 200 * time.Millisecond

// Follow calls changed, on a goroutine of its own, soon after anything in the
// folder root has changed. changed must not block. Close ends it.
func Follow(root string, changed func(), log *zap.Logger) (*Follower, error) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("follow %s: %w", root, err)
	}
	f := &Follower{root: filepath.Clean(root), changed: changed, log: log, watcher: watcher,
		anchors: make(map[string]bool), parents: make(map[string]bool)}
	root = f.root
	if err := f.add(root); err != nil {
		watcher.Close()
		return nil, fmt.Errorf("follow %s: %w", root, err)
	}
	f.done.Go(f.run)
	return f, nil
}

// Close ends the following and returns when changed is not called any more.
func (f *Follower) Close() error {
	err := f.watcher.Close()
	f.done.Wait()
	return err
}

// anchor watches for the replacement of root, or of a symbolic link on the way
// to it: tools that deploy often turn such a link to another folder.
func (f *Follower) anchor() error {
	for path := f.root; path != filepath.Dir(path); path = filepath.Dir(path) {
		if info, err := os.Lstat(path); path != f.root && (err != nil || info.Mode()&fs.ModeSymlink == 0) {
			continue
		}
		if err := f.watcher.Add(filepath.Dir(path)); err != nil {
			return err
		}
		f.anchors[path], f.parents[filepath.Dir(path)] = true, true
	}
	return nil
}

// add watches dir and what is below it. The folder that root leads to is watched
// where it really is.
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
		if err := f.watcher.Add(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w (fs.inotify.max_user_watches may be too low)", err)
		}
		if !(isRoot && path == dir) && skipped[entry.Name()] {
			return filepath.SkipDir
		}
		return nil
	})
}

func (f *Follower) run() {
	var again <-chan time.Time // set while root is missing
	for {
		select {
		case event, open := <-f.watcher.Events:
			if !open {
				return
			}
			if event.Op == fsnotify.Chmod || !f.concerns(event) {
				continue
			}
			if event.Has(fsnotify.Create) {
				if f.refresh(event.Name) != nil {
					again = time.After(rescan)
				}
			}
			if f.anchors[event.Name] && event.Has(fsnotify.Remove|fsnotify.Rename) {
				again = time.After(rescan)
			}
			f.changed()
		case <-again:
			again = nil
			if _, err := os.Stat(f.root); err != nil || f.add(f.root) != nil {
				again = time.After(rescan)
				continue
			}
			f.changed()
		case err, open := <-f.watcher.Errors:
			if !open {
				return
			}
			// After an overflow events are missing: take it as a change.
			f.log.Warn("following code", zap.String("code", f.root), zap.Error(err))
			f.changed()
		}
	}
}

// concerns reports whether an event is about root, or something in it, or a link
// on the way to it; the folders that hold these are watched too.
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
