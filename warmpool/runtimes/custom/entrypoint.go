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
	"syscall"
)

// An EntrypointError says that the environment has nothing to run. Type and text
// are those that Lambda reports.
type EntrypointError struct{ Message string }

// EntrypointType is the type of the error for the caller.
const EntrypointType = "Runtime.InvalidEntrypoint"

func (e *EntrypointError) Error() string { return e.Message }

// Bootstrap finds the program of a custom runtime, in the function's code and then
// in its layers, and returns its path inside. The error is an *EntrypointError.
func Bootstrap(places []Place) (string, error) {
	var tried []string
	for _, p := range places {
		inside := filepath.Join(p.Inside, "bootstrap")
		tried = append(tried, inside)
		if p.Outside == "" {
			continue
		}
		outside, known, err := find(places, inside)
		if err == nil && known {
			var info fs.FileInfo
			if info, err = os.Lstat(outside); err == nil && !info.Mode().IsRegular() {
				continue
			}
			if err == nil && info.Mode().Perm()&0o111 == 0 {
				err = fs.ErrPermission
			}
			if err == nil {
				err = runnable(outside)
			}
		}
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			continue
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

// Extensions are the names of the external extensions in the extensions folder of the
// layers, which are the last place: every file that may be executed.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
func Extensions(places []Place) ([]string, error) {
	layers := places[len(places)-1]
	if layers.Outside == "" {
		return nil, nil
	}
	folder := filepath.Join(layers.Inside, "extensions")
	outside, known, err := find(places, folder)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		return nil, nil
	case err != nil:
		return nil, err
	case !known:
		return nil, fmt.Errorf("%s leads out of the code and the layers: put the extensions themselves into a layer", folder)
	}
	entries, err := os.ReadDir(outside)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if !executable(places, filepath.Join(folder, e.Name())) {
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

// executable reports whether a path of the environment is a file that may be executed. A
// link to a program of the system is taken for one.
func executable(places []Place, inside string) bool {
	outside, known, err := find(places, inside)
	if err != nil || !known {
		return err == nil
	}
	info, err := os.Lstat(outside)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}
