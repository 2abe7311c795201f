package environment

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// MaxAhead is how many frames fit into the request pipe as packets, a page each.
const MaxAhead = 64

// spawn makes the pipes and starts the process.
func (e *Environment) spawn() (err error) {
	var files []*os.File
	keep := false
	defer func() {
		if !keep {
			for _, f := range files {
				f.Close()
			}
		}
	}()
	pipe := func(flags int) (r, w int, err error) {
		var p [2]int
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC|flags); err != nil {
			return 0, 0, fmt.Errorf("make a pipe: %w", err)
		}
		return p[0], p[1], nil
	}
	open := func(fd int, name string, nonblock bool) *os.File {
		if nonblock {
			unix.SetNonblock(fd, true) // before NewFile, so that it goes to the poller
		}
		f := os.NewFile(uintptr(fd), name)
		files = append(files, f)
		return f
	}

	requestR, requestW, err := pipe(unix.O_DIRECT)
	if err != nil {
		return err
	}
	// Unprivileged users may be over their share of pipe memory; then fewer
	// frames are written ahead before a writer waits.
	size, _ := unix.FcntlInt(uintptr(requestW), unix.F_SETPIPE_SZ, MaxAhead*runtimes.PacketSize)
	e.batch.init(size)
	childIn := open(requestR, "requests", false)
	e.in = open(requestW, "requests", true)
	// A second description of the same read end: the process needs its own to
	// block, this one must not.
	e.unread, err = os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", requestR), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("open the request pipe again: %w", err)
	}
	files = append(files, e.unread)

	replyR, replyW, err := pipe(0)
	if err != nil {
		return err
	}
	e.out = open(replyR, "replies", true)
	childOut := open(replyW, "replies", false)
	raw, err := e.out.SyscallConn()
	if err != nil {
		return fmt.Errorf("use the reply pipe: %w", err)
	}
	e.spin.init(raw, e.spec.Busy)

	outputR, outputW, err := pipe(0)
	if err != nil {
		return err
	}
	if err := e.output.init(open(outputR, "output", true)); err != nil {
		return fmt.Errorf("use the output pipe: %w", err)
	}
	childOutput := open(outputW, "output", false)

	e.proc, err = e.spec.Start(childOutput, []*os.File{childIn, childOut})
	if err != nil {
		return err
	}
	keep = true
	childIn.Close()
	childOut.Close()
	childOutput.Close()
	go e.copyOutput()
	return nil
}

// write writes a whole frame. It needs order. A frame of one page or less goes
// as a packet; a longer one as a stream, so that the runtime can read it in
// large pieces. With several invocations at once all go as a stream: frames follow
// each other then, and the kernel would add a packet to the last page of a stream,
// of which a reader then loses the rest.
func (e *Environment) write(frame []byte) error {
	_, err := e.writeAs(len(frame) <= runtimes.PacketSize && e.spec.Init.Concurrency <= 1, frame)
	return err
}

// writeAs writes packets, or a stream, and returns how many bytes went into the pipe.
func (e *Environment) writeAs(packets bool, b []byte) (int, error) {
	if err := e.setPacketMode(packets); err != nil {
		return 0, err
	}
	return e.in.Write(b)
}

func (e *Environment) setPacketMode(on bool) error {
	if on == e.packet {
		return nil
	}
	raw, err := e.in.SyscallConn()
	if err != nil {
		return err
	}
	flags := unix.O_NONBLOCK
	if on {
		flags |= unix.O_DIRECT
	}
	var set error
	if err := raw.Control(func(fd uintptr) { _, set = unix.FcntlInt(fd, unix.F_SETFL, flags) }); err != nil {
		return err
	}
	if set == nil {
		e.packet = on
	}
	return set
}

var errIncomplete = errors.New("frame not read whole yet")

// nextFrame returns the next whole frame in buf; its payload is valid until
// fill. It needs the reader's seat.
func (e *Environment) nextFrame() (runtimes.Head, []byte, error) {
	if e.end-e.start < runtimes.HeadSize {
		return runtimes.Head{}, nil, errIncomplete
	}
	head, err := runtimes.ParseHead(e.buf[e.start:])
	if err != nil {
		return head, nil, err
	}
	size := runtimes.HeadSize + int(head.Length)
	if e.end-e.start < size {
		e.reserve(size)
		return head, nil, errIncomplete
	}
	payload := e.buf[e.start+runtimes.HeadSize : e.start+size]
	e.start += size
	return head, payload, nil
}

const readBuffer = 16 << 10

// reserve makes room for a frame of size bytes that begins at start.
func (e *Environment) reserve(size int) {
	if e.start+size <= len(e.buf) {
		return
	}
	buf := e.buf
	if size > len(buf) {
		buf = make([]byte, size)
	}
	e.end = copy(buf, e.buf[e.start:e.end])
	e.buf, e.start = buf, 0
}

// makeRoom sees to it that buf has room for more bytes.
func (e *Environment) makeRoom() {
	if e.start == e.end {
		e.start, e.end = 0, 0
		if len(e.buf) > 4*readBuffer {
			e.buf = make([]byte, readBuffer) // a large frame has passed
		}
	} else {
		e.reserve(runtimes.HeadSize)
	}
}

// fill reads more bytes into buf, waiting for them. It needs the reader's seat.
func (e *Environment) fill() error {
	e.makeRoom()
	n, err := e.spin.read(e.buf[e.end:], e.out.Read)
	e.end += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// fillNow reads what is in the pipe without waiting, whatever the deadline of the pipe. It
// is false if the pipe is empty.
func (e *Environment) fillNow() bool {
	e.makeRoom()
	n := 0
	err := e.spin.raw.Control(func(fd uintptr) { n, _ = unix.Read(int(fd), e.buf[e.end:]) })
	if err != nil || n <= 0 {
		return false
	}
	e.end += n
	return true
}
