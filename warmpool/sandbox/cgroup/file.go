package cgroup

import (
	"os"

	"golang.org/x/sys/unix"
)

// ReadFile reads a file that the kernel makes while it is read, in /proc or of a cgroup. It is
// os.ReadFile by four system calls instead of ten: such a file has no size to ask for, and is
// not to be polled.
func ReadFile(path string) ([]byte, error) {
	fd, err := ignoringEINTR(func() (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	content := make([]byte, 0, 512)
	for {
		if len(content) == cap(content) {
			content = append(content, 0)[:len(content)]
		}
		n, err := ignoringEINTR(func() (int, error) { return unix.Read(fd, content[len(content):cap(content)]) })
		if err != nil {
			return content, &os.PathError{Op: "read", Path: path, Err: err}
		}
		if n == 0 {
			return content, nil
		}
		content = content[:len(content)+n]
	}
}

// writeFile writes to a file that the kernel made, and makes none. It takes three system calls, an
// os.File seven.
func writeFile(path, value string) error {
	fd, err := ignoringEINTR(func() (int, error) { return unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	if _, err := ignoringEINTR(func() (int, error) { return unix.Write(fd, []byte(value)) }); err != nil {
		return &os.PathError{Op: "write", Path: path, Err: err}
	}
	return nil
}

// ignoringEINTR makes a call again that a signal has ended, as package os does.
func ignoringEINTR(call func() (int, error)) (int, error) {
	for {
		if n, err := call(); err != unix.EINTR {
			return n, err
		}
	}
}
