package code

import (
	"archive/zip"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of an archive that Lambda does not name.
const (
	maxEntries = 100_000
	maxPath    = 4096 // bytes of a name
	maxLink    = 4095 // bytes of a link's target, Linux's limit
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
	name string      // clean, with slashes, relative
	kind fs.FileMode // 0, fs.ModeDir or fs.ModeSymlink
}

// inspect reads the list of an archive and refuses all that should not be
// unpacked, without unpacking it. Of entries of one name the last is taken, as unzip does:
// Gradle and others write some twice.
func inspect(r io.ReaderAt, size int64) ([]entry, error) {
	archive, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		//lint:ignore ST1005 AWS's words
		return nil, fmt.Errorf("%w: Could not unzip uploaded file. Please check your file, then try to upload again.", ErrInvalid)
	}
	if len(archive.File) > maxEntries {
		return nil, fmt.Errorf("%w: %d entries, %d at most", ErrInvalid, len(archive.File), maxEntries)
	}
	entries := make([]entry, 0, len(archive.File))
	places := make(map[string]int, len(archive.File)) // in entries, by name
	for _, f := range archive.File {
		name, err := cleanName(f.Name)
		if err != nil {
			return nil, err
		}
		switch {
		case name == ".":
			continue
		case f.Flags&1 != 0:
			return nil, invalid(f.Name, "it is encrypted")
		case f.Method != zip.Store && f.Method != zip.Deflate:
			return nil, invalid(f.Name, "compression method %d is not supported: use store or deflate", f.Method)
		}
		kind, err := kindOf(f)
		if err != nil {
			return nil, err
		}
		if n, seen := places[name]; seen {
			entries[n] = entry{f, name, kind}
			continue
		}
		places[name] = len(entries)
		entries = append(entries, entry{f, name, kind})
	}
	var total uint64
	folders := make(map[string]struct{}) // folders that have no entry of their own and are made anyway
	for _, e := range entries {
		for dir := path.Dir(e.name); dir != "."; dir = path.Dir(dir) {
			if n, seen := places[dir]; seen {
				if entries[n].kind != fs.ModeDir {
					return nil, invalid(e.name, "it lies within %q, which is no folder", dir)
				}
				continue
			}
			if _, seen := folders[dir]; seen {
				break // those above it have been looked at
			}
			folders[dir] = struct{}{}
			if len(entries)+len(folders) > maxEntries {
				return nil, fmt.Errorf("%w: over %d entries and the folders that hold them", ErrInvalid, maxEntries)
			}
		}
		// A bomb declares its size or lies: unpacking stops at what is declared.
		if total += e.UncompressedSize64; total > MaxUnpacked || e.UncompressedSize64 > MaxUnpacked {
			return nil, errUnzipped
		}
	}
	return entries, checkPlaces(archive.File, size)
}

// kindOf is what an entry is. Modes are taken by their type alone: Maven writes folders
// with all bits set.
func kindOf(f *zip.File) (fs.FileMode, error) {
	kind := f.Mode().Type()
	if strings.HasSuffix(f.Name, "/") {
		if kind != fs.ModeDir {
			return 0, invalid(f.Name, "it is named as a folder and is none")
		}
	}
	switch kind {
	case 0, fs.ModeSymlink:
		return kind, nil
	case fs.ModeDir:
		if f.UncompressedSize64 > 0 {
			return 0, invalid(f.Name, "it is a folder that has content")
		}
		return kind, nil
	}
	return 0, invalid(f.Name, "it is neither a file, a folder nor a link")
}

// checkPlaces refuses entries that share bytes of the archive with others, as those of
// bombs do, or that are beyond its end.
func checkPlaces(files []*zip.File, size int64) error {
	type place struct {
		from, to int64
		name     string
	}
	all := make([]place, 0, len(files))
	for _, f := range files {
		from, err := f.DataOffset()
		switch {
		case err != nil:
			return invalid(f.Name, "its header is damaged (%v)", err)
		case from > size || f.CompressedSize64 > uint64(size-from):
			return invalid(f.Name, "it goes beyond the end of the archive")
		case f.CompressedSize64 > 0:
			all = append(all, place{from, from + int64(f.CompressedSize64), f.Name})
		}
	}
	slices.SortFunc(all, func(a, b place) int { return cmp.Compare(a.from, b.from) })
	for n := range max(0, len(all)-1) {
		if all[n].to > all[n+1].from {
			return invalid(all[n+1].name, "it overlaps with %.200q", all[n].name)
		}
	}
	return nil
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
		return "", invalid(name, "folders are parted by / in an archive, not by \\: make it with another tool, such as tar -a -c -f code.zip on Windows")
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
	for _, e := range entries {
		target := filepath.Join(into, filepath.FromSlash(e.name))
		switch e.kind {
		case fs.ModeDir:
			err = mkdirAll(target)
		case fs.ModeSymlink:
			continue // after all else, so that nothing is written through one
		default:
			err = unpackFile(e, target)
		}
		if err != nil {
			return unpacking(e, err)
		}
	}
	for _, e := range entries {
		if e.kind != fs.ModeSymlink {
			continue
		}
		if err := unpackLink(e, filepath.Join(into, filepath.FromSlash(e.name))); err != nil {
			return unpacking(e, err)
		}
	}
	return nil
}

func unpacking(e entry, err error) error {
	if errors.Is(err, ErrInvalid) {
		return err // it names the entry
	}
	return fmt.Errorf("unpack %.200q: %w", e.name, err)
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
	file, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(e.copyTo(file), file.Chmod(e.permissions()), file.Close())
}

// permissions are those of a file of the tree.
func (e *entry) permissions() fs.FileMode {
	if e.Mode().Perm()&0o100 != 0 {
		return 0o755
	}
	return 0o644
}

// copyTo writes the content of an entry. It refuses content that is longer or shorter than
// declared, or has another checksum, and reads no further than declared.
func (e *entry) copyTo(w io.Writer) error {
	content, err := e.Open()
	if err != nil {
		return invalid(e.name, "%v", err)
	}
	defer content.Close() // it was only read
	source := &reading{Reader: io.LimitReader(content, int64(e.UncompressedSize64)+1)}
	n, err := io.Copy(w, source)
	switch {
	case source.err != nil:
		return invalid(e.name, "it is damaged, or not as long as declared (%v)", source.err)
	case err != nil:
		return err
	case n != int64(e.UncompressedSize64):
		return invalid(e.name, "it is not as long as declared")
	}
	return nil
}

// A reading remembers an error of its reader: io.Copy's may be the writer's.
type reading struct {
	io.Reader
	err error
}

func (r *reading) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// link is the target of a link. It may lead anywhere, as on Lambda: only environments
// follow it, and there it is a path of their own.
func (e *entry) link() (string, error) {
	if e.UncompressedSize64 == 0 || e.UncompressedSize64 > maxLink {
		return "", invalid(e.name, "a link leads to a path of 1 to %d bytes", maxLink)
	}
	var to strings.Builder
	if err := e.copyTo(&to); err != nil {
		return "", err
	}
	if strings.ContainsRune(to.String(), 0) {
		return "", invalid(e.name, "it links to a path that holds a NUL")
	}
	return to.String(), nil
}

func unpackLink(e entry, target string) error {
	to, err := e.link()
	if err != nil {
		return err
	}
	if err := mkdirAll(filepath.Dir(target)); err != nil {
		return err
	}
	return os.Symlink(to, target)
}
