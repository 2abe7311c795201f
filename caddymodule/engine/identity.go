package engine

import (
	"crypto/rand"
	"io"
	"os"
	"path/filepath"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// An identity is what a node of a cluster is called as long as it has its data directory. Only one
// process has it: a lock on its file, which ends with the process, says so. Its next process takes
// back at once what it has left.
type identity struct {
	name string   // "": another process has it, or there is none
	file *os.File // locked
}

// maxIdentity bounds a name, in bytes.
const maxIdentity = 64

// identify takes the identity of the data directory, and makes one if there is none. Without an
// identity a node waits for the end of the leases that it has left, as others do.
func (e *Engine) identify() identity {
	file, err := os.OpenFile(filepath.Join(e.Dir, "node"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		e.Log.Warn("this node has no identity", zap.Error(err))
		return identity{}
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		file.Close()
		return identity{} // another process of this directory runs, as beside `caddy validate`
	}
	text, err := io.ReadAll(io.LimitReader(file, maxIdentity))
	if err == nil && len(text) == 0 {
		text = []byte(rand.Text())
		_, err = file.Write(text)
	}
	if err != nil {
		file.Close()
		e.Log.Warn("this node has no identity", zap.Error(err))
		return identity{}
	}
	return identity{string(text), file}
}

func (i *identity) release() {
	if i.file != nil {
		_ = i.file.Close() // the lock ends with it
	}
}
