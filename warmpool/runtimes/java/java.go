package java

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed jars/*.jar
var jars embed.FS

// Files returns the jars by name. All belong into one folder.
func Files() map[string][]byte {
	entries, err := fs.ReadDir(jars, "jars")
	if err != nil {
		panic(err) // the folder is embedded
	}
	files := make(map[string][]byte, len(entries))
	for _, entry := range entries {
		data, err := jars.ReadFile("jars/" + entry.Name())
		if err != nil {
			panic(err)
		}
		files[entry.Name()] = data
	}
	return files
}

// Archive is the name, beside the jars, of the class-data archive for a version of
// Java, e.g. "17.0.15": another one for each state of the jars.
func Archive(version string) string {
	return "classes-" + version + "-" + jarsDigest() + ".jsa"
}

var jarsDigest = sync.OnceValue(func() string {
	hash := sha256.New()
	files := Files()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		hash.Write(files[name])
	}
	return hex.EncodeToString(hash.Sum(nil)[:4])
})

// options are those of every JVM: quick to start and small, as Lambda's, which
// compiles with C1 only, too.
// https://aws.amazon.com/blogs/compute/increasing-performance-of-java-aws-lambda-functions-using-tiered-compilation/
func options(dir string) []string {
	return []string{
		"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xshare:auto", "-Xlog:disable",
		"-Xlog:all=error,cds*=off:stderr", // newer Javas call it an error that packages are opened, which their own archive is not made for
		"--add-opens=java.base/java.io=ALL-UNNAMED", "--add-opens=java.base/java.util=ALL-UNNAMED",
		"-cp", strings.Join([]string{filepath.Join(dir, "interfaces.jar"), filepath.Join(dir, "bootstrap.jar"), filepath.Join(dir, "jackson.jar")}, ":"),
	}
}

const main = "hearth.Bootstrap"

// Args returns the arguments for a Java that runs the bootstrap in dir in an
// environment of memoryMB, as a stem or for a function that is there, with the
// class-data archive of a version, which need not be there. The JVM sees no cgroup:
// the heap ends before the memory does.
func Args(dir string, memoryMB int, version string, stem bool) []string {
	args := append(options(dir),
		"-Xmx"+strconv.Itoa(memoryMB*8/10)+"m", "-Xss1m",
		"-XX:SharedArchiveFile="+filepath.Join(dir, Archive(version)))
	if !stem {
		return append(args, main, dir)
	}
	return append(args, "-Duser.dir=/var/task", main, dir, "stem")
}

// PrecompileArgs returns the arguments for a Java that makes the start cache of a function
// (Classes.java), and writes it to descriptor 3. It has the class-data archive of a version.
func PrecompileArgs(dir, taskRoot, layerRoot, handler, version string) []string {
	return append(options(dir), "-Xmx400m", "-XX:SharedArchiveFile="+filepath.Join(dir, Archive(version)),
		main, dir, "precompile", taskRoot, layerRoot, handler)
}

// ArchiveCommand is the shell command that makes a class-data archive of what the
// bootstrap in dir uses, with the Java at path, and writes it to descriptor 3.
// Java 13 or newer can.
func ArchiveCommand(path, dir string) []string {
	const script = `archive=${TMPDIR:-/tmp}/classes.jsa; program=$1; shift; ` +
		`"$program" -XX:ArchiveClassesAtExit="$archive" "$@" && cat "$archive" >&3`
	return append(append([]string{"/bin/sh", "-c", script, "sh", path}, options(dir)...), main, dir, "rehearse")
}
