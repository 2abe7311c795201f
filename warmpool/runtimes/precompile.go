package runtimes

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/hearthfn/hearth/warmpool/runtimes/java"
	"github.com/hearthfn/hearth/warmpool/runtimes/nodejs"
)

// PrecompileFor is the command by which in makes the start cache of a function's code, written
// to descriptor 3 for ReadFiles; ok is false for one that has none. It loads the handler, as an
// init does.
func PrecompileFor(in Interpreter, runtimeDir, taskRoot, layerRoot, handler string, memoryMB int) (command []string, ok bool) {
	switch in.Family {
	case FamilyNode:
		return append([]string{in.Path}, nodejs.PrecompileArgs(runtimeDir, taskRoot, handler, majorOf(in), memoryMB)...), true
	case FamilyJava:
		return append([]string{in.Path}, java.PrecompileArgs(runtimeDir, taskRoot, layerRoot, handler, in.Version)...), true
	}
	return nil, false
}

// Waits reports whether the runtime of in knows go frames (KindGo).
func Waits(in Interpreter) bool { return in.Family == FamilyNode || in.Family == FamilyPython }

// HasStartCache reports whether in can start sooner by what it made of the code before.
func HasStartCache(in Interpreter) bool { return in.Family == FamilyNode || in.Family == FamilyJava }

// StartCacheKey tells start caches apart which are of the same code: by all else that they
// depend on. A start cache is valid for one state of the interpreter and of the bootstrap.
func StartCacheKey(in Interpreter, handler string, memoryMB int, layers string) (string, error) {
	program, err := os.Stat(in.Path)
	if err != nil {
		return "", err
	}
	if in.Family == FamilyJava {
		memoryMB = 0 // it has the same classes with all
	}
	var options []string
	if in.Family == FamilyNode {
		options = nodejs.PrecompileArgs("", "", "", majorOf(in), memoryMB) // V8 takes its code for the same only
	}
	hash := sha256.New()
	fmt.Fprintf(hash, "2 %q %q %q %d %d %q %s %q %d %q %q", in.Family, in.Version, in.Path, program.Size(), program.ModTime().UnixNano(),
		in.SDK, bootstrapDigest(in.Family), handler, memoryMB, layers, options)
	return in.Family + "-" + hex.EncodeToString(hash.Sum(nil)[:16]), nil
}

var (
	nodeDigest = sync.OnceValue(func() string { return digestOf(nodejs.Files()) })
	javaDigest = sync.OnceValue(func() string { return digestOf(java.Files()) })
)

func bootstrapDigest(family string) string {
	if family == FamilyJava {
		return javaDigest()
	}
	return nodeDigest()
}

func digestOf(files map[string][]byte) string {
	hash := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(hash, "%q %d\n", name, len(files[name]))
		hash.Write(files[name])
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// maxFiles bounds the files of a start cache.
const maxFiles = 20_000

// ReadFiles reads the files that a process has written: for each the lengths of its name and its
// content (little-endian, 4 bytes each), the name, and the content. It refuses more than limit
// bytes.
func ReadFiles(r io.Reader, limit int64) (map[string][]byte, error) {
	files := make(map[string][]byte)
	for {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); errors.Is(err, io.EOF) {
			return files, nil
		} else if err != nil {
			return nil, err
		}
		name, content := int64(binary.LittleEndian.Uint32(head[:4])), int64(binary.LittleEndian.Uint32(head[4:]))
		if limit -= name + content + int64(len(head)); name == 0 || name > 4096 || limit < 0 || len(files) >= maxFiles {
			return nil, fmt.Errorf("a file with a name of %d and a content of %d bytes: too much", name, content)
		}
		record := make([]byte, name+content)
		if _, err := io.ReadFull(r, record); err != nil {
			return nil, err
		}
		files[string(record[:name])] = record[name:]
	}
}
