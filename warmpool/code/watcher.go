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
	"golang.org/x/sys/unix"
)

// A Watcher watches the folders of all its Followers through one inotify
// instance: a user may have 128 of these by default, and a node has thousands
// of functions.
type Watcher struct {
	log     *zap.Logger
	watcher *fsnotify.Watcher
	done    sync.WaitGroup

	mu   sync.Mutex
	dirs map[string]map[*Follower]struct{} // who watches a folder; guarded by mu
}

// NewWatcher begins to watch, nothing yet. Close ends it.
func NewWatcher(log *zap.Logger) (*Watcher, error) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("follow code: %w (fs.inotify.max_user_instances may be too low)", err)
	}
	w := &Watcher{log: log, watcher: watcher, dirs: make(map[string]map[*Follower]struct{})}
	w.done.Go(w.run)
	return w, nil
}

// Close ends the following of all folders, and returns when no more changes are reported.
func (w *Watcher) Close() error {
	err := w.watcher.Close()
	w.done.Wait()
	return err
}

// watch adds dir to what f watches. The system is asked even if dir is watched:
// another folder may have taken its place.
func (w *Watcher) watch(f *Follower, dir string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.watcher.Add(dir); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return fmt.Errorf("%w (fs.inotify.max_user_watches may be too low)", err)
	}
	if w.dirs[dir] == nil {
		w.dirs[dir] = make(map[*Follower]struct{})
	}
	w.dirs[dir][f] = struct{}{}
	f.dirs[dir] = struct{}{}
	return nil
}

// forget ends the watching of dirs that nobody but f watches.
func (w *Watcher) forget(f *Follower) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var errs []error
	for dir := range f.dirs {
		delete(w.dirs[dir], f)
		if len(w.dirs[dir]) > 0 {
			continue
		}
		delete(w.dirs, dir)
		// A folder that is gone is not watched any more: EINVAL says so when fsnotify has
		// not heard of it yet.
		if err := w.watcher.Remove(dir); err != nil && !errors.Is(err, fsnotify.ErrNonExistentWatch) &&
			!errors.Is(err, fsnotify.ErrClosed) && !errors.Is(err, unix.EINVAL) {
			errs = append(errs, err)
		}
	}
	clear(f.dirs)
	return errors.Join(errs...)
}

// watching returns the followers that watch one of the folders, or all followers if there
// are no folders given.
func (w *Watcher) watching(dirs ...string) map[*Follower]struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := make(map[*Follower]struct{})
	if len(dirs) == 0 {
		for _, followers := range w.dirs {
			for f := range followers {
				found[f] = struct{}{}
			}
		}
	}
	for _, dir := range dirs {
		for f := range w.dirs[dir] {
			found[f] = struct{}{}
		}
	}
	return found
}

// run tells the followers what happens to their folders.
func (w *Watcher) run() {
	missing := make(map[*Follower]struct{}) // those whose root is not there
	var again <-chan time.Time              // set while there are any
	watchAgain := func(f *Follower) {
		missing[f] = struct{}{}
		if again == nil {
			again = time.After(rescan)
		}
	}
	for {
		select {
		case event, open := <-w.watcher.Events:
			if !open {
				return
			}
			if event.Op == fsnotify.Chmod {
				continue
			}
			for f := range w.watching(filepath.Dir(event.Name), event.Name) {
				if lost := f.handle(event); lost {
					watchAgain(f)
				}
			}
		case <-again:
			again = nil
			for f := range missing {
				delete(missing, f)
				if !f.restored() {
					watchAgain(f)
				}
			}
		case err, open := <-w.watcher.Errors:
			if !open {
				return
			}
			// After an overflow events are missing: take it as a change of everything.
			w.log.Warn("following code", zap.Error(err))
			for f := range w.watching() {
				f.report()
			}
		}
	}
}

// exists reports whether path leads to something.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
