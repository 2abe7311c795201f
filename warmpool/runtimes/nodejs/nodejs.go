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
// environment of memoryMB, as a stem or for a function that is there. major is its version. The heap ends
// before the memory does, so that V8 says what filled it.
func Args(dir string, major, memoryMB int, stem bool) []string {
	entry := "bootstrap.js"
	if stem {
		entry = "stem.js"
	}
	return append(options(major, memoryMB), filepath.Join(dir, entry))
}

// mostInitialMB is more than the objects that live after an init of an SDK and a framework take.
const mostInitialMB = 64

// options are part of what V8 binds its compiled code to.
func options(major, memoryMB int) []string {
	all := []string{
		"--max-old-space-size=" + strconv.Itoa(memoryMB*9/10),
		"--max-http-header-size=81920", // as Lambda's
	}
	if major < 24 { // a later one then compiles its own modules anew, which takes longer
		// V8 does not look for garbage among old objects before there are so many MB. By default it
		// begins with the half, but takes less at each collection of young ones, and then looks within an
		// init, which makes little. The most is what an environment may keep of garbage for it.
		all = append(all, "--initial-old-space-size="+strconv.Itoa(min(memoryMB/4, mostInitialMB)))
	}
	if major <= 26 { // that V8 knows it has been tried up to here
		// It would collect all garbage at the first turn of the event loop after some idle
		// seconds: an invocation would wait for it.
		all = append(all, "--no-memory-reducer")
	}
	return all
}

// PrecompileArgs returns the arguments for a Node.js that makes the start cache of a function
// (bootstrap/precompile.js), and writes it to descriptor 3.
func PrecompileArgs(dir, taskRoot, handler string, major, memoryMB int) []string {
	return append(options(major, memoryMB), filepath.Join(dir, "precompile.js"), taskRoot, handler)
}
