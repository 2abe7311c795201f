package logs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/disk"
)

const day = 24 * time.Hour

// retentionFile holds, in a group's folder, how many days its events are kept,
// where that is not as in the rest of the store.
const retentionFile = "retention"

// Retention returns how many days the group's events are kept; 0 for as long as
// the store keeps those of others.
func (g *Group) Retention() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.retention
}

// SetRetention says how many days the group's events are kept from now on, give
// or take the day that one file may cover; 0 goes back to the store's. It is on
// disk when SetRetention returns.
func (g *Group) SetRetention(days int) error {
	if days < 0 {
		return fmt.Errorf("log group %s: a retention of %d days: 1 or more, 0 for that of the store", g.Name(), days)
	}
	if err := g.writeRetention(days); err != nil {
		return fmt.Errorf("log group %s: keep the retention: %w", g.Name(), err)
	}
	g.mu.Lock()
	g.retention = days
	g.mu.Unlock()
	return nil
}

func (g *Group) writeRetention(days int) error {
	path := filepath.Join(g.dir, retentionFile)
	if days == 0 {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := g.makeDir(); err != nil {
		return err
	}
	return disk.Replace(path, []byte(strconv.Itoa(days)+"\n"), 0o600)
}

// readRetention returns what writeRetention wrote, 0 where it has not.
func readRetention(dir string) (int, error) {
	path := filepath.Join(dir, retentionFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	days, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || days < 1 {
		return 0, fmt.Errorf("%s: %.20q is no number of days: correct it, or remove the file", path, b)
	}
	return days, nil
}

// maxAge is how long the group stores events; 0 or less is for ever.
func (g *Group) maxAge() time.Duration {
	if days := g.Retention(); days > 0 {
		return time.Duration(days) * day
	}
	return g.store.config.Retention
}

// A removal asks the writer to remove everything in a group.
type removal struct {
	group *Group
	done  chan error
}

// Remove removes all events of the group, and its retention. Later events begin anew. It
// fails with ErrClosed, the error of ctx, or the disk's.
func (g *Group) Remove(ctx context.Context) error {
	r := removal{g, make(chan error, 1)}
	select {
	case g.store.removals <- r:
	case <-g.store.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-r.done
}

// removeGroup is Remove, on the writer's goroutine.
func (w *writer) removeGroup(g *Group) error {
	w.write(g, false)
	for {
		seg, ok := g.oldest()
		if !ok {
			break
		}
		w.remove(g, seg)
	}
	g.seal()
	if err := errors.Join(g.SetRetention(0), g.forget()); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(g.dir, nameFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Remove(g.dir); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTEMPTY) {
		return err
	}
	return nil
}
