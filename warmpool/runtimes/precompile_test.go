package runtimes

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

func TestStartCacheKeyIsOfAllThatACacheDependsOn(t *testing.T) {
	node := filepath.Join(t.TempDir(), "node")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(node, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	in := Interpreter{Family: FamilyNode, Path: node, Version: "20.20.2"}
	seen := make(map[string]string)
	note := func(what string, in Interpreter, handler string, memoryMB int, layers string) {
		t.Helper()
		key, err := StartCacheKey(in, handler, memoryMB, layers)
		if err != nil {
			t.Fatal(err)
		}
		if before, ok := seen[key]; ok {
			t.Errorf("%s has the key of %s", what, before)
		}
		seen[key] = what
	}
	note("the first", in, "index.handler", 128, "l")
	note("another handler", in, "index.other", 128, "l")
	note("another memory setting", in, "index.handler", 256, "l")
	note("other layers", in, "index.handler", 128, "m")
	newer := in
	newer.Version = "20.20.3"
	note("another version", newer, "index.handler", 128, "l")
	withSDK := in
	withSDK.SDK = "/sdk"
	note("an SDK", withSDK, "index.handler", 128, "l")
	java := in
	java.Family = FamilyJava
	note("Java", java, "index.handler", 128, "l")
	if one, two := javaKey(t, java, 128), javaKey(t, java, 256); one != two {
		t.Errorf("Java with another memory setting has %s, not %s: its classes are the same", two, one)
	}
	write("another")
	note("another program", in, "index.handler", 128, "l")
}

func javaKey(t *testing.T, in Interpreter, memoryMB int) string {
	t.Helper()
	key, err := StartCacheKey(in, "x", memoryMB, "l")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestReadFilesRefusesMoreThanTheLimit(t *testing.T) {
	record := func(name, content string) []byte {
		b := binary.LittleEndian.AppendUint32(nil, uint32(len(name)))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(content)))
		return append(append(b, name...), content...)
	}
	all := append(record("a", "one"), record("b/c", "two")...)
	files, err := ReadFiles(bytes.NewReader(all), 100)
	if err != nil || len(files) != 2 || string(files["a"]) != "one" || string(files["b/c"]) != "two" {
		t.Errorf("got %q, %v", files, err)
	}
	for what, in := range map[string][]byte{
		"too much":     append(all, record("c", string(make([]byte, 100)))...),
		"a wrong size": append(all, 1, 0, 0, 0, 255, 255, 255, 255),
		"half a file":  all[:len(all)-1],
		"no name":      record("", "x"),
	} {
		if _, err := ReadFiles(bytes.NewReader(in), 100); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}
