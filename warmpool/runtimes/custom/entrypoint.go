package custom

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// An EntrypointError says that the environment has nothing to run. Type and text
// are those that Lambda reports.
type EntrypointError struct{ Message string }

// EntrypointType is the type of the error that a caller is told.
const EntrypointType = "Runtime.InvalidEntrypoint"

func (e *EntrypointError) Error() string { return e.Message }

// A Place is a folder as the machine and as the environment has it.
type Place struct{ Outside, Inside string }

// Bootstrap finds the program of a custom runtime, in the function's code and then
// in its layers, and returns its path inside. The error is an *EntrypointError.
func Bootstrap(places []Place) (string, error) {
	var tried []string
	for _, p := range places {
		inside := filepath.Join(p.Inside, "bootstrap")
		outside := filepath.Join(p.Outside, "bootstrap")
		tried = append(tried, inside)
		info, err := os.Stat(outside)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			continue
		}
		if err == nil && info.Mode().Perm()&0o111 == 0 {
			err = fs.ErrPermission
		}
		if err == nil {
			err = runnable(outside)
		}
		if err != nil {
			return "", &EntrypointError{fmt.Sprintf("Error: fork/exec %s: %s", inside, reason(err))}
		}
		return inside, nil
	}
	return "", &EntrypointError{"Error: Couldn't find valid bootstrap(s): [" + strings.Join(tried, " ") + "]"}
}

func reason(err error) string {
	if errors.Is(err, fs.ErrPermission) {
		return "permission denied"
	}
	return err.Error()
}

var errFormat = errors.New("exec format error")

// machines are ELF's names for Go's architectures that Lambda has.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// runnable reports why the kernel would not run a file: neither a program for this
// machine nor a script.
func runnable(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	start := make([]byte, 256)
	n, err := io.ReadFull(file, start)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return err
	}
	start = start[:n]
	if line, isScript := bytes.CutPrefix(start, []byte("#!")); isScript {
		line, _, _ = bytes.Cut(line, []byte("\n"))
		if bytes.HasSuffix(line, []byte("\r")) {
			return errors.New("no such file or directory (its first line ends in a carriage return)")
		}
		return nil
	}
	if !bytes.HasPrefix(start, []byte(elf.ELFMAG)) {
		return errFormat
	}
	program, err := elf.NewFile(file)
	if err != nil {
		return errFormat
	}
	defer program.Close()
	if want, known := machines[runtime.GOARCH]; known && program.Machine != want {
		return errFormat
	}
	return nil
}

// Extensions are the names of the external extensions in the folder that holds the
// layers: every file that may be executed.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
func Extensions(layers string) ([]string, error) {
	if layers == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(filepath.Join(layers, "extensions"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		info, err := os.Stat(filepath.Join(layers, "extensions", e.Name()))
		if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
			continue
		}
		if strings.ContainsAny(e.Name(), "\n") {
			return nil, fmt.Errorf("extension %q: a line feed in its name", e.Name())
		}
		names = append(names, e.Name())
	}
	if len(names) > maxExtensions {
		return nil, fmt.Errorf("%d extensions in /opt/extensions: %d at most", len(names), maxExtensions)
	}
	slices.Sort(names)
	return names, nil
}
