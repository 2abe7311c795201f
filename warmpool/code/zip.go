package code

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"unicode/utf8"
)

// Bounds of an archive that Lambda does not name.
const (
	maxEntries = 100_000
	maxPath    = 4096 // bytes of a name
	maxLink    = 4096 // bytes of a link's target
)

// ErrInvalid says that an archive cannot be code. The error that wraps it names
// the entry.
var ErrInvalid = errors.New("invalid code archive")

func invalid(entry, format string, args ...any) error {
	return fmt.Errorf("%w: %.200q: %s", ErrInvalid, entry, fmt.Sprintf(format, args...))
}

// errUnzipped is worded as by AWS.
var errUnzipped = fmt.Errorf("%w: Unzipped size must be smaller than %d bytes", ErrInvalid, MaxUnpacked)

// An entry is one file, folder or link to be made.
type entry struct {
	*zip.File
	name string // clean, with slashes, relative
}

// inspect reads the list of an archive and refuses all that should not be
// unpacked, without unpacking it.
func inspect(r io.ReaderAt, size int64) ([]entry, error) {
	archive, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, fmt.Errorf("%w: Could not unzip uploaded file. Please check your file, then try to upload again. (%w)", ErrInvalid, err)
	}
	if len(archive.File) > maxEntries {
		return nil, fmt.Errorf("%w: %d entries, %d at most", ErrInvalid, len(archive.File), maxEntries)
	}
	entries := make([]entry, 0, len(archive.File))
	kinds := make(map[string]fs.FileMode, len(archive.File)) // by name: what has been seen
	var total uint64
	for _, f := range archive.File {
		name, err := cleanName(f.Name)
		if err != nil {
			return nil, err
		}
		mode := f.Mode()
		switch {
		case name == ".":
			continue
		case f.Flags&1 != 0:
			return nil, invalid(f.Name, "it is encrypted")
		case f.Method != zip.Store && f.Method != zip.Deflate:
			return nil, invalid(f.Name, "compression method %d is not supported: use store or deflate", f.Method)
		case mode&(fs.ModeDevice|fs.ModeNamedPipe|fs.ModeSocket|fs.ModeIrregular) != 0:
			return nil, invalid(f.Name, "it is neither a file, a folder nor a link")
		case mode&(fs.ModeSetuid|fs.ModeSetgid) != 0:
			return nil, invalid(f.Name, "it is to run as another user")
		}
		kind := mode.Type()
		if before, seen := kinds[name]; seen && (before != fs.ModeDir || kind != fs.ModeDir) {
			return nil, invalid(f.Name, "it is there twice")
		}
		kinds[name] = kind
		// A bomb declares its size or lies: unpacking stops at what is declared.
		if total += f.UncompressedSize64; total > MaxUnpacked || f.UncompressedSize64 > MaxUnpacked {
			return nil, errUnzipped
		}
		entries = append(entries, entry{f, name})
	}
	for name := range kinds {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if kind, seen := kinds[dir]; seen && kind != fs.ModeDir {
				return nil, invalid(name, "it lies within %q, which is no folder", dir)
			}
		}
	}
	return entries, nil
}

// cleanName refuses names that lead out of the tree or mean something else on
// another system.
func cleanName(name string) (string, error) {
	switch {
	case name == "" || len(name) > maxPath:
		return "", invalid(name, "a name has 1 to %d bytes", maxPath)
	case !utf8.ValidString(name) || strings.ContainsRune(name, 0):
		return "", invalid(name, "its name is not UTF-8, or holds a NUL")
	case strings.Contains(name, `\`):
		return "", invalid(name, "folders are parted by / in an archive, not by \\")
	case strings.HasPrefix(name, "/"):
		return "", invalid(name, "its path is absolute")
	}
	for _, part := range strings.Split(name, "/") {
		if part == ".." {
			return "", invalid(name, "its path leads out of the archive")
		}
		if len(part) > 255 {
			return "", invalid(name[:64], "a name of over 255 bytes")
		}
	}
	return path.Clean(name), nil
}

// unpack makes the tree of an archive in the empty folder into. Whatever modes the
// archive has, everybody may read, and run what its owner may run: environments
// have users of their own.
func unpack(r io.ReaderAt, size int64, into string) error {
	entries, err := inspect(r, size)
	if err != nil {
		return err
	}
	var links []entry
	for _, e := range entries {
		target := filepath.Join(into, filepath.FromSlash(e.name))
		switch {
		case e.Mode().IsDir():
			err = mkdirAll(target)
		case e.Mode()&fs.ModeSymlink != 0:
			links = append(links, e) // after all else, so that nothing is written through one
			continue
		default:
			err = unpackFile(e, target)
		}
		if err != nil {
			return fmt.Errorf("unpack %.200q: %w", e.name, err)
		}
	}
	for _, e := range links {
		if err := unpackLink(e, filepath.Join(into, filepath.FromSlash(e.name))); err != nil {
			return err
		}
	}
	return checkLinks(into, links)
}

// checkLinks refuses links that lead out of the tree by way of others: what
// unpackLink reads by its letters is elsewhere when a part of it is a link.
func checkLinks(into string, links []entry) error {
	if len(links) == 0 {
		return nil
	}
	root, err := os.OpenRoot(into)
	if err != nil {
		return err
	}
	defer root.Close() // it was only read
	for _, e := range links {
		_, err := root.Stat(e.name)
		switch {
		case err == nil, errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ELOOP):
			// Or it leads nowhere, which harms nobody.
		default:
			return invalid(e.name, "it links out of the archive, by way of another link")
		}
	}
	return nil
}

// mkdirAll makes folders that everybody may enter, whatever the umask.
func mkdirAll(dir string) error {
	if info, err := os.Lstat(dir); err == nil && info.IsDir() {
		return nil
	}
	if err := mkdirAll(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Chmod(dir, 0o755)
}

func unpackFile(e entry, target string) error {
	if err := mkdirAll(filepath.Dir(target)); err != nil {
		return err
	}
	content, err := e.Open()
	if err != nil {
		return err
	}
	defer content.Close()
	mode := fs.FileMode(0o644)
	if e.Mode().Perm()&0o100 != 0 {
		mode = 0o755
	}
	file, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	// The reader checks size and checksum at the end; what is longer than declared
	// is not read that far.
	_, err = io.Copy(file, io.LimitReader(content, int64(e.UncompressedSize64)+1))
	return errors.Join(err, file.Chmod(mode), file.Close())
}

// unpackLink makes a link that stays within the tree.
func unpackLink(e entry, target string) error {
	content, err := e.Open()
	if err != nil {
		return fmt.Errorf("unpack %.200q: %w", e.name, err)
	}
	defer content.Close()
	b, err := io.ReadAll(io.LimitReader(content, maxLink+1))
	if err != nil {
		return fmt.Errorf("unpack %.200q: %w", e.name, err)
	}
	to := string(b)
	inside := path.Join(path.Dir(e.name), to)
	switch {
	case to == "" || len(to) > maxLink || strings.ContainsRune(to, 0):
		return invalid(e.name, "it links to nothing")
	case path.IsAbs(to):
		return invalid(e.name, "it links to %.200q, an absolute path", to)
	case inside == ".." || strings.HasPrefix(inside, "../"):
		return invalid(e.name, "it links to %.200q, out of the archive", to)
	}
	if err := mkdirAll(filepath.Dir(target)); err != nil {
		return fmt.Errorf("unpack %.200q: %w", e.name, err)
	}
	if err := os.Symlink(to, target); err != nil {
		return fmt.Errorf("unpack %.200q: %w", e.name, err)
	}
	return nil
}
