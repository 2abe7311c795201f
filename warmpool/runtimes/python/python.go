package python

import (
	"embed"
	"io/fs"
	"path/filepath"
)

//go:embed bootstrap/*.py
var bootstrap embed.FS

// Files returns the files of the bootstrap by name. All belong into one folder.
func Files() map[string][]byte {
	entries, err := fs.ReadDir(bootstrap, "bootstrap")
	if err != nil {
		panic(err) // the folder is embedded
	}
	files := make(map[string][]byte, len(entries))
	for _, entry := range entries {
		data, err := bootstrap.ReadFile("bootstrap/" + entry.Name())
		if err != nil {
			panic(err)
		}
		files[entry.Name()] = data
	}
	return files
}

// Args returns the arguments for a Python interpreter that runs the bootstrap in
// dir, with the module site or without.
func Args(dir string, site bool) []string {
	args := []string{
		"-B",         // code is read-only on Lambda; here it may be a folder being watched
		"-X", "utf8", // as with Lambda's LANG, whether or not that locale is installed
	}
	if !site {
		args = append(args, "-S") // the bootstrap makes up for it in less time
	}
	return append(args, filepath.Join(dir, "bootstrap.py"))
}
