package nodejs

import (
	"embed"
	"io/fs"
	"path/filepath"
	"strconv"
)

//go:embed bootstrap/*.js bootstrap/*.mjs
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

// Args returns the arguments for a Node.js that runs the bootstrap in dir in an
// environment of memoryMB, as a stem or for a function that is there. The heap ends
// before the memory does, so that V8 says what filled it.
func Args(dir string, memoryMB int, stem bool) []string {
	entry := "bootstrap.js"
	if stem {
		entry = "stem.js"
	}
	return append(options(memoryMB), filepath.Join(dir, entry))
}

// options are part of what V8 binds its compiled code to.
func options(memoryMB int) []string {
	return []string{
		"--max-old-space-size=" + strconv.Itoa(memoryMB*9/10),
		"--max-http-header-size=81920", // as Lambda's
	}
}

// PrecompileArgs returns the arguments for a Node.js that makes the start cache of a function
// (bootstrap/precompile.js), and writes it to descriptor 3.
func PrecompileArgs(dir, taskRoot, handler string, memoryMB int) []string {
	return append(options(memoryMB), filepath.Join(dir, "precompile.js"), taskRoot, handler)
}
