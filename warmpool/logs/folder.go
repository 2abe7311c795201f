package logs

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"

	"github.com/hearthfn/hearth/warmpool/function"
)

// The folder of a function's own group has the function's name. The folder of another
// group has "=" and the group's name, with "=" for each slash; no function's name has one.
// A name that is too long for a file is cut, distinguished by its hash, and stored whole
// in a file.
const (
	maxFolder = 200 // bytes
	nameFile  = "name"
)

// groupDir is the folder of a group.
func (s *Store) groupDir(name string) string {
	return filepath.Join(s.config.Dir, folderOf(name))
}

func folderOf(name string) string {
	if of, ok := strings.CutPrefix(name, function.DefaultLogGroup("")); ok && function.ValidName(of) {
		return of
	}
	folder := "=" + strings.ReplaceAll(name, "/", "=")
	if len(folder) > maxFolder {
		hash := sha256.Sum256([]byte(name))
		folder = folder[:maxFolder] + "=" + hex.EncodeToString(hash[:16])
	}
	return folder
}

// groupOf is the group whose folder lies at path.
func groupOf(path string) (name string, ok bool) {
	folder := filepath.Base(path)
	if function.ValidName(folder) {
		return function.DefaultLogGroup(folder), true
	}
	name, ok = strings.CutPrefix(folder, "=")
	if !ok {
		return "", false
	}
	name = strings.ReplaceAll(name, "=", "/")
	if len(folder) > maxFolder {
		kept, err := os.ReadFile(filepath.Join(path, nameFile))
		if err != nil {
			return "", false
		}
		name = string(kept)
	}
	return name, function.ValidLogGroup(name) && folderOf(name) == folder
}

// makeDir makes the folder of the group.
func (g *Group) makeDir() error {
	if err := os.MkdirAll(g.dir, 0o700); err != nil {
		return err
	}
	if len(filepath.Base(g.dir)) <= maxFolder {
		return nil
	}
	return os.WriteFile(filepath.Join(g.dir, nameFile), []byte(g.name), 0o600)
}
