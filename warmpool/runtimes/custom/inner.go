package custom

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// Inner are the pipes between a Bridge and a built-in runtime.
type Inner struct {
	ours  inner
	files [2]*os.File // the runtime's ends
}

type inner struct {
	requests, replies *os.File
	once              sync.Once
}

// NewInner makes the pipes.
func NewInner() (*Inner, error) {
	var request, reply [2]int
	if err := unix.Pipe2(request[:], unix.O_CLOEXEC); err != nil {
		return nil, err
	}
	if err := unix.Pipe2(reply[:], unix.O_CLOEXEC); err != nil {
		unix.Close(request[0])
		unix.Close(request[1])
		return nil, err
	}
	// Ours do not hold a thread; the runtime's block, as it expects.
	unix.SetNonblock(request[1], true)
	unix.SetNonblock(reply[0], true)
	return &Inner{
		ours:  inner{requests: os.NewFile(uintptr(request[1]), "requests"), replies: os.NewFile(uintptr(reply[0]), "replies")},
		files: [2]*os.File{os.NewFile(uintptr(request[0]), "requests"), os.NewFile(uintptr(reply[1]), "replies")},
	}, nil
}

// Files are the runtime's ends, for its descriptors 3 and 4. The caller closes them when the
// runtime has them.
func (i *Inner) Files() []*os.File { return i.files[:] }

// Close closes all ends, when there is no runtime after all.
func (i *Inner) Close() error {
	for _, f := range i.files {
		f.Close()
	}
	i.ours.close()
	return nil
}

func (i *Inner) take() *inner { return &i.ours }

func (i *inner) close() {
	i.once.Do(func() {
		i.requests.Close()
		i.replies.Close()
	})
}

func (i *inner) send(frame []byte) error {
	_, err := i.requests.Write(frame)
	return err
}

// relay passes the frames of a built-in runtime on to the gateway, and learns from
// them what the runtime does.
func (b *Bridge) relay() {
	replies := bufio.NewReaderSize(b.inner.replies, 64<<10)
	for {
		frame, head, err := nextReply(replies)
		if err != nil {
			if errors.Is(err, runtimes.ErrProtocol) {
				_ = b.out.raw(frame) // the environment says what it thinks of it
			}
			if !b.replaced() {
				b.out.close() // as the runtime has, which usually exits
			}
			return
		}
		if b.takenOver() {
			continue // whatever still speaks frames
		}
		switch head.Kind {
		case runtimes.KindBooted:
			continue
		case runtimes.KindReady, runtimes.KindResult, runtimes.KindError, runtimes.KindStreamEnd:
			b.mu.Lock()
			b.phase = phaseReady
			b.notify()
			b.mu.Unlock()
		case runtimes.KindInitError:
			b.failInitWith(frame[runtimes.HeadSize:])
			continue
		}
		// The environment learns that it is ready when the extensions are ready too.
		if head.Kind != runtimes.KindReady && b.out.raw(frame) != nil {
			return
		}
	}
}

// takenOver reports whether something that speaks HTTP is the runtime.
func (b *Bridge) takenOver() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.http
}

// replaced reports whether the end of the frames is not the end of the runtime: a
// wrapper has started something that has closed the pipes and may speak HTTP yet.
func (b *Bridge) replaced() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.http || b.config.Wrapped && b.phase == phaseStarted
}

func nextReply(r io.Reader) ([]byte, runtimes.Head, error) {
	var start [runtimes.HeadSize]byte
	if _, err := io.ReadFull(r, start[:]); err != nil {
		return nil, runtimes.Head{}, err
	}
	head, err := runtimes.ParseHead(start[:])
	if err != nil {
		return start[:], head, err
	}
	frame := make([]byte, runtimes.HeadSize+int(binary.LittleEndian.Uint32(start[4:])))
	copy(frame, start[:])
	_, err = io.ReadFull(r, frame[runtimes.HeadSize:])
	return frame, head, err
}
