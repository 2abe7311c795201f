package launch

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hearthfn/hearth/warmpool/function"
)

// maxHandlerFile is how much of the file with the handler is read, in bytes.
const maxHandlerFile = 1 << 20

// namesSDK reports whether the file with the handler of a Python function names the AWS SDK. It
// is a guess, for code that has never run here: modules that are loaded ahead cost memory, and
// otherwise nothing.
func namesSDK(f *function.Function) bool {
	module, _, _ := cutLast(f.Handler, ".")
	text, err := readCode(f.Code, filepath.FromSlash(strings.ReplaceAll(module, ".", "/"))+".py")
	return err == nil && (bytes.Contains(text, []byte("boto3")) || bytes.Contains(text, []byte("botocore")))
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// readCode reads the beginning of a file of code, which is a folder or a zip.
func readCode(code, name string) ([]byte, error) {
	info, err := os.Stat(code)
	if err != nil {
		return nil, err
	}
	var file io.ReadCloser
	if info.IsDir() {
		root, err := os.OpenRoot(code)
		if err != nil {
			return nil, err
		}
		defer root.Close()
		if info, err := root.Stat(name); err != nil || !info.Mode().IsRegular() { // else it could block
			return nil, os.ErrNotExist
		}
		file, err = root.Open(name)
		if err != nil {
			return nil, err
		}
	} else {
		archive, err := zip.OpenReader(code)
		if err != nil {
			return nil, err
		}
		defer archive.Close()
		if file, err = archive.Open(filepath.ToSlash(name)); err != nil {
			return nil, err
		}
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxHandlerFile))
}
