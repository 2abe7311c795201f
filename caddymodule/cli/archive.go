package cli

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// maxZip is Lambda's limit of an archive that comes with a request, in bytes.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxZip = 50 << 20

// left are files that tools leave in a folder and no function needs.
var left = map[string]bool{".git": true, ".hg": true, ".svn": true, ".DS_Store": true, "__pycache__": true}

// archive zips a folder, or takes an archive as it is. The same files make the same
// archive, so that an unchanged function stays the version it is.
func archive(path string) (data []byte, files int, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if !info.IsDir() {
		data, err = os.ReadFile(path)
		return data, 1, err
	}
	if path, err = filepath.EvalSymlinks(path); err != nil { // WalkDir does not enter a link
		return nil, 0, err
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	err = filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(path, file)
		if err != nil || name == "." {
			return err
		}
		if left[d.Name()] || name == configFile {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		files++
		if err := addFile(z, filepath.ToSlash(name), file, d); err != nil {
			return err
		}
		if b.Len() > maxZip {
			return fmt.Errorf("%s is over %d MB zipped, which is as much as a request may have; put large files into layers, or upload the zip to a bucket and create the function by S3Bucket and S3Key", path, maxZip>>20)
		}
		return nil
	})
	if err == nil {
		err = z.Close()
	}
	if err == nil && files == 0 {
		err = fmt.Errorf("%s has no files", path)
	}
	return b.Bytes(), files, err
}

// epoch is the earliest time that a zip can have.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

func addFile(z *zip.Writer, name, path string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	header := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: epoch}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		to, err := os.Readlink(path)
		if err != nil {
			return err
		}
		header.SetMode(fs.ModeSymlink | 0o777)
		w, err := z.CreateHeader(header)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, strings.NewReader(to))
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is neither a file nor a folder", path)
	}
	mode := fs.FileMode(0o644)
	if info.Mode().Perm()&0o111 != 0 {
		mode = 0o755
	}
	header.SetMode(mode)
	w, err := z.CreateHeader(header)
	if err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close() // it was only read
	_, err = io.Copy(w, file)
	return err
}
