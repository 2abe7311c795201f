package ruby

import (
	"embed"
	"io/fs"
	"path/filepath"
)

//go:embed bootstrap/*.rb
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

// Args returns the arguments for a Ruby that runs the bootstrap in dir.
func Args(dir string) []string {
	return []string{filepath.Join(dir, "bootstrap.rb")}
}
