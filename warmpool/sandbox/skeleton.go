package sandbox

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hearthfn/hearth/warmpool/sandbox/network"
)

// A skeleton is the root folder of all environments, a real one on the machine that each
// binds read-only. It already has everything that would otherwise be a mount or a new
// folder at each start: the folders to mount on, the links of a merged /usr, and an /etc
// of copies.
type skeleton struct {
	root string
	// private is a folder with what of /etc is another for NetworkPrivate.
	private string
	// binds are what of the machine is shown at its own path.
	binds []string

	mu      sync.Mutex
	targets map[string]bool // guarded by mu: mount points that are there
	fresh   map[string]time.Time
}

// devices are all of /dev, beside links to the descriptors of the process.
func devices() []string { return []string{"null", "zero", "full", "random", "urandom"} }

// etc are the files of /etc that programs need: to resolve names, to trust certificates,
// to find libraries and the time zone, and what a distribution keeps there for Java, fonts
// or OpenSSL. New does not copy files that not everyone may read.
func etc() []string {
	return []string{
		"resolv.conf", "hosts", "host.conf", "nsswitch.conf", "gai.conf", "services", "protocols", "networks",
		"localtime", "timezone", "ld.so.cache", "os-release", "mime.types", "alternatives", "fonts",
		"ssl/certs", "ssl/openssl.cnf", "ssl/cert.pem", "ca-certificates/extracted", "crypto-policies",
		"pki/tls/certs", "pki/tls/cert.pem", "pki/tls/openssl.cnf", "pki/ca-trust/extracted", "pki/java",
		"java*",
	}
}

// searched are the folders of functions and layers where libraries and programs are
// looked for. They are there before a stem has its function: the C library remembers
// for good that a folder of LD_LIBRARY_PATH is not there.
func searched() []string { return []string{TaskRoot + "/lib", LayerRoot + "/lib", LayerRoot + "/bin"} }

// packages are links by which Node.js finds packages for code below TaskRoot, after the
// function's own: those of layers, then the runtime's. Of NODE_PATH its ES modules know
// nothing; that of Lambda does.
func packages() map[string]string {
	return map[string]string{"/var/node_modules": LayerRoot + "/nodejs/node_modules", "/node_modules": RuntimeDir + "/node_modules"}
}

// changing are the copies that are kept up to date: a laptop changes its network
// and a gateway runs for months. Running environments see the new ones too.
func changing() []string { return []string{"resolv.conf", "hosts"} }

// Users and groups as they are on Lambda.
const (
	passwd = "root:x:0:0:root:/root:/sbin/nologin\n" +
		"nobody:x:65534:65534:nobody:/:/sbin/nologin\n" +
		"sbx_user1051:x:993:990::/home/sbx_user1051:/sbin/nologin\n"
	group = "root:x:0:\nnogroup:x:65534:\nsbx_user1051:x:990:\n"
)

func newSkeleton(root string) (*skeleton, error) {
	s := &skeleton{root: root, private: root + "-private", targets: map[string]bool{}, fresh: map[string]time.Time{}}
	if err := s.build(); err != nil {
		return nil, fmt.Errorf("build the root folder of environments: %w", err)
	}
	return s, nil
}

func (s *skeleton) build() error {
	if err := mkdirAll(s.private); err != nil {
		return err
	}
	for _, dir := range slices.Concat([]string{"", "usr", "dev", "proc", "tmp", "etc", TaskRoot, RuntimeDir, LayerRoot, CacheRoot}, searched()) {
		if err := mkdirAll(filepath.Join(s.root, dir)); err != nil {
			return err
		}
	}
	s.binds = []string{"/usr"}
	for _, dir := range []string{"/bin", "/sbin", "/lib", "/lib32", "/lib64"} {
		link, err := os.Readlink(dir)
		if err == nil {
			if err := os.Symlink(link, filepath.Join(s.root, dir)); err != nil {
				return err
			}
			continue
		}
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			s.binds = append(s.binds, dir)
			if err := mkdirAll(filepath.Join(s.root, dir)); err != nil {
				return err
			}
		}
	}
	for link, target := range packages() {
		if err := os.Symlink(target, filepath.Join(s.root, link)); err != nil {
			return err
		}
	}
	for _, name := range devices() {
		if err := writeNew(filepath.Join(s.root, "dev", name), nil); err != nil {
			return err
		}
	}
	// POSIX semaphores and shared memory are held to what /tmp is held to.
	for name, target := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
		"shm": "/tmp",
	} {
		if err := os.Symlink(target, filepath.Join(s.root, "dev", name)); err != nil {
			return err
		}
	}
	return s.buildEtc()
}

func (s *skeleton) buildEtc() error {
	for _, pattern := range etc() {
		paths, err := filepath.Glob(filepath.Join("/etc", pattern))
		if err != nil {
			return err
		}
		for _, path := range paths {
			if err := s.copyTree(path); err != nil {
				return err
			}
		}
	}
	for _, name := range changing() {
		// Something to mount on, where the machine has none.
		if err := writeNew(filepath.Join(s.root, "etc", name), nil); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := s.writePrivate(name); err != nil {
			return err
		}
	}
	s.refresh()
	for name, content := range map[string]string{"passwd": passwd, "group": group} {
		if err := writeNew(filepath.Join(s.root, "etc", name), []byte(content)); err != nil {
			return err
		}
	}
	// Without it the C library does not look into hosts on every distribution.
	nsswitch := filepath.Join(s.root, "etc", "nsswitch.conf")
	if _, err := os.Lstat(nsswitch); errors.Is(err, fs.ErrNotExist) {
		return writeNew(nsswitch, []byte("hosts: files dns\n"))
	}
	return nil
}

// copyTree copies a file or folder to the same path inside.
func (s *skeleton) copyTree(top string) error {
	return filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // not readable, or gone meanwhile: nothing to copy
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil // a link to nowhere
		}
		target := filepath.Join(s.root, path)
		if err := mkdirAll(filepath.Dir(target)); err != nil {
			return err
		}
		if d.Type()&fs.ModeSymlink != 0 && (path != top || info.IsDir()) {
			if link, ok := linkInside(path); ok {
				return os.Symlink(link, target)
			}
		}
		switch {
		case info.Mode().Perm()&0o004 == 0:
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return mkdirAll(target)
		case info.Mode().IsRegular():
			return copyFile(path, target)
		}
		return nil
	})
}

// linkInside reads a link, and reports whether what it leads to is inside too.
func linkInside(path string) (link string, ok bool) {
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil || !within(resolved, "/usr") && !within(resolved, "/etc") {
		return "", false
	}
	link, err = os.Readlink(path)
	return link, err == nil
}

// refresh copies again what has changed on the machine. One stat per file.
func (s *skeleton) refresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range changing() {
		path := filepath.Join("/etc", name)
		info, err := os.Stat(path)
		if err != nil || info.ModTime().Equal(s.fresh[name]) {
			continue
		}
		// The copy in place stays whole until the new one replaces it.
		next := filepath.Join(s.root, "etc", "."+name)
		if err := copyFile(path, next); err != nil {
			continue
		}
		if err := os.Rename(next, filepath.Join(s.root, path)); err == nil {
			s.fresh[name] = info.ModTime()
		}
		_ = s.writePrivate(name) // or it stays as it is
	}
}

// writePrivate writes the file of /etc that environments with NetworkPrivate have. It changes
// the file in place, because environments have mounted it.
func (s *skeleton) writePrivate(name string) error {
	content, err := os.ReadFile(filepath.Join("/etc", name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if name == "hosts" {
		content = append(content, ownNames...)
	}
	path := filepath.Join(s.private, name)
	if err := os.WriteFile(path, network.Etc(name, content), 0o644); err != nil {
		return err
	}
	return os.Chmod(path, 0o644)
}

// ensure makes a mount point for source at target. It is there for all
// environments then, as an empty folder or file.
func (s *skeleton) ensure(target string, isDir bool) error {
	if target == "/" || target == "/tmp" || within(target, "/proc") || within(target, "/dev") || within(target, "/etc") {
		return fmt.Errorf("nothing can be mounted at %s", target)
	}
	if within(target, "/tmp") {
		return nil // bwrap makes it in the tmpfs
	}
	for _, bind := range s.binds {
		if within(target, bind) {
			return nil // as it is on the machine
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.targets[target] {
		return nil
	}
	path := filepath.Join(s.root, target)
	dir := path
	if !isDir {
		dir = filepath.Dir(path)
	}
	if err := mkdirAll(dir); err != nil {
		return fmt.Errorf("make a mount point at %s: %w", target, err)
	}
	if !isDir {
		if err := writeNew(path, nil); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make a mount point at %s: %w", target, err)
		}
	}
	s.targets[target] = true
	return nil
}

// mkdirAll makes folders that everyone may enter, whatever the umask.
func mkdirAll(path string) error {
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		return nil
	}
	if err := mkdirAll(filepath.Dir(path)); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		return err
	}
	return os.Chmod(path, 0o755)
}

func writeNew(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Chmod(0o644), f.Close())
}

// ownNames are the names that an environment has for itself on Lambda, where
// extensions listen.
const ownNames = "\n127.0.0.1 sandbox sandbox.local sandbox.localdomain\n"

func copyFile(source, target string) error {
	in, err := os.OpenFile(source, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil && source == "/etc/hosts" {
		_, err = out.WriteString(ownNames)
	}
	return errors.Join(err, out.Chmod(0o644), out.Close())
}

// clean resolves what of a path exists, so that two names of one folder are one.
func clean(path string) string {
	path = filepath.Clean(path)
	rest := ""
	for p := path; ; p = filepath.Dir(p) {
		if resolved, err := filepath.EvalSymlinks(p); err == nil {
			return filepath.Join(resolved, rest)
		}
		if p == filepath.Dir(p) {
			return path
		}
		rest = filepath.Join(strings.TrimPrefix(p, filepath.Dir(p)), rest)
	}
}
