package install

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Bounds of a package of npm, packed and unpacked.
const (
	maxPacked   = 256 << 20
	maxUnpacked = 1 << 30
	maxFiles    = 20_000
)

// unpack takes those files of a package that keep names into folder. A name is the path
// below the package's own first folder. It leaves out everything that is neither a file
// nor a folder.
func unpack(packed io.Reader, folder string, keep func(name string) bool) error {
	zipped, err := gzip.NewReader(packed)
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	defer zipped.Close()
	archive := tar.NewReader(io.LimitReader(zipped, maxUnpacked))
	for files := 0; ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("unpack: %w", err)
		}
		_, name, _ := strings.Cut(filepath.ToSlash(header.Name), "/")
		if header.Typeflag != tar.TypeReg || !keep(name) {
			continue
		}
		if !filepath.IsLocal(name) {
			return fmt.Errorf("unpack: %q leads out of the package", header.Name)
		}
		if files++; files > maxFiles {
			return fmt.Errorf("unpack: more than %d files", maxFiles)
		}
		if err := writeEntry(filepath.Join(folder, name), archive, header.FileInfo().Mode().Perm()); err != nil {
			return fmt.Errorf("unpack: %w", err)
		}
	}
}

func writeEntry(path string, from io.Reader, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode|0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, from)
	return errors.Join(err, file.Close())
}
