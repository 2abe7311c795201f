package custom

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// duplicate takes a descriptor of our own of a pipe's end, which reads and writes
// without holding a thread.
func duplicate(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("duplicate a pipe: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("duplicate a pipe: %w", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// A frameReader reads the gateway's frames. The pipe may be in packet mode: a read
// returns bytes of one frame only, and what does not fit into it is lost.
type frameReader struct {
	file *os.File
	page [runtimes.PacketSize]byte
}

// next returns one whole frame, head included, that the caller may keep.
func (r *frameReader) next() ([]byte, error) {
	n, err := r.file.Read(r.page[:])
	if err != nil {
		return nil, err
	}
	if n < runtimes.HeadSize {
		return nil, io.ErrUnexpectedEOF
	}
	frame := make([]byte, runtimes.HeadSize+int(binary.LittleEndian.Uint32(r.page[4:])))
	if n > len(frame) {
		if r.page[len(frame)] == runtimes.Magic {
			return nil, errors.New("two frames in one read")
		}
		n = len(frame) // a packet that was filled up
	}
	copy(frame, r.page[:n])
	_, err = io.ReadFull(r.file, frame[n:])
	return frame, err
}

// A frameWriter writes frames to the gateway, each whole.
type frameWriter struct {
	mu     sync.Mutex // held while writing
	file   *os.File
	closed bool // guarded by mu
}

// write writes a frame with a short payload.
func (w *frameWriter) write(kind runtimes.Kind, seq, value uint32, payload []byte) error {
	return w.frame(kind, seq, value, withHead(payload))
}

// frame writes a frame whose head is still to be filled in: one write and no copy.
func (w *frameWriter) frame(kind runtimes.Kind, seq, value uint32, frame []byte) error {
	runtimes.AppendHead(frame[:0], runtimes.Head{Kind: kind, Length: uint32(len(frame) - runtimes.HeadSize), Seq: seq, Value: value})
	return w.raw(frame)
}

func (w *frameWriter) raw(frame []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.file.Write(frame)
	return err
}

// close may be called again.
func (w *frameWriter) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.closed = true
		w.file.Close()
	}
}

// withHead is payload with room for a head in front.
func withHead(payload []byte) []byte {
	return append(make([]byte, runtimes.HeadSize, runtimes.HeadSize+len(payload)), payload...)
}

// An invocation is what an invoke frame says.
type invocation struct {
	seq        uint32
	requestID  string
	deadline   int64 // Unix milliseconds
	trace, arn string
	client     string
	identity   string
	event      []byte
}

// parseInvoke reads a whole invoke frame, which the gateway made.
func parseInvoke(frame []byte) (*invocation, error) {
	const fixed = 8 + 5*2
	meta := int(binary.LittleEndian.Uint16(frame[2:]))
	if runtimes.Kind(frame[1]) != runtimes.KindInvoke || meta < fixed || len(frame) < runtimes.HeadSize+meta {
		return nil, fmt.Errorf("%w: no invoke frame", runtimes.ErrProtocol)
	}
	in := &invocation{seq: runtimes.InvokeSeq(frame)}
	body := frame[runtimes.HeadSize:]
	in.deadline = int64(math.Float64frombits(binary.LittleEndian.Uint64(body)))
	strings := body[fixed:meta]
	for i, to := range []*string{&in.requestID, &in.trace, &in.arn, &in.client, &in.identity} {
		n := int(binary.LittleEndian.Uint16(body[8+2*i:]))
		if n > len(strings) {
			return nil, fmt.Errorf("%w: an invoke frame of %d bytes", runtimes.ErrProtocol, len(frame))
		}
		*to, strings = string(strings[:n]), strings[n:]
	}
	in.event = body[meta:]
	return in, nil
}
