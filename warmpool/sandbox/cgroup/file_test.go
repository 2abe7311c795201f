package cgroup

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"testing"
)

func TestReadFileReadsWhatTheKernelMakes(t *testing.T) {
	for _, path := range []string{"/proc/self/cmdline", "/proc/filesystems", "/proc/kallsyms"} { // of a line, some lines, and megabytes
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: got %d bytes, want %d, %v", path, len(got), len(want), err)
		}
	}
	if _, err := ReadFile("/proc/0/stat"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a process that is not there: got %v", err)
	}
}

func BenchmarkReadFile(b *testing.B) {
	for name, read := range map[string]func(string) ([]byte, error){"os": os.ReadFile, "ours": ReadFile} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := read("/proc/self/schedstat"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
