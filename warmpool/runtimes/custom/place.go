package custom

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// A Place is a folder as the machine and as the environment has it. Outside is "" for one
// that is not there.
type Place struct{ Outside, Inside string }

// maxFollowed is how many links Linux follows on the way to a file.
const maxFollowed = 40

// find returns where a path of the environment is on this machine. Links are followed as
// the environment follows them: those of the code come from strangers, and the same path
// outside is another file. With known false the path leads to something that is no
// place's, which the environment alone can look at.
func find(places []Place, inside string) (outside string, known bool, err error) {
	at, rest := "/", strings.Split(inside, "/")
	for followed := 0; len(rest) > 0; {
		next := path.Join(at, rest[0])
		rest = rest[1:]
		outside, known = locate(places, next)
		if !known {
			if !above(places, next) {
				return "", false, nil
			}
			at = next
			continue
		}
		info, err := os.Lstat(outside)
		switch {
		case err != nil:
			return "", true, err
		case info.Mode()&fs.ModeSymlink == 0 || isPlace(places, next):
			at = next
			continue
		}
		if followed++; followed > maxFollowed {
			return "", true, fmt.Errorf("%s: %w", inside, syscall.ELOOP)
		}
		to, err := os.Readlink(outside)
		if err != nil {
			return "", true, err
		}
		if path.IsAbs(to) {
			at = "/"
		}
		rest = append(strings.Split(to, "/"), rest...)
	}
	return outside, known, nil
}

// locate is where a path would be, without following it.
func locate(places []Place, inside string) (outside string, known bool) {
	for _, p := range places {
		if p.Outside == "" {
			continue
		}
		if rel, err := filepath.Rel(p.Inside, inside); err == nil && filepath.IsLocal(rel) {
			return filepath.Join(p.Outside, rel), true
		}
	}
	return "", false
}

// isPlace reports whether a path is a place itself: where that really is has been the
// configuration's choice.
func isPlace(places []Place, inside string) bool {
	for _, p := range places {
		if p.Inside == inside {
			return true
		}
	}
	return false
}

// above reports whether a path is a folder on the way to a place.
func above(places []Place, inside string) bool {
	for _, p := range places {
		if inside == "/" || strings.HasPrefix(p.Inside, inside+"/") {
			return true
		}
	}
	return false
}
