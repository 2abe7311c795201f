package events

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// keepEvents has a server keep events that wait, ends it, and returns its state file.
func keepEvents(s *harness.Server, r *harness.Recorder) string {
	s.T.Helper()
	s.Configure(r.Function(s, "f", ""), "receive /hooks/* generic {\n open\n}")
	s.Start()
	r.Failing("f", true)
	for n := range 20 {
		s.Post("/hooks/f", fmt.Sprintf(`{"n":%d,"pad":%q}`, n, strings.Repeat("x", 10_000))).Want(s.T, 200, "")
	}
	r.Wait("f", 20) // tried again in a minute
	s.Stop()
	return filepath.Join(s.Dir, "data", "state.db")
}

// usedBytes is how much of a file of bbolt is in use, by the newer of its two heads.
func usedBytes(file []byte) int {
	number := func(head, at int) uint64 { return binary.LittleEndian.Uint64(file[head+16+at:]) }
	head := 0
	if number(4096, 48) > number(0, 48) { // the transaction's number
		head = 4096
	}
	return int(number(head, 40)) * 4096
}

func TestTornStateFileIsNamedWithItsRemedy(t *testing.T) {
	harness.Parallel(t)
	s, r := harness.NewServer(t, "", ""), harness.NewRecorder(t)
	path := keepEvents(s, r)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	used := usedBytes(whole)
	for name, text := range map[string][]byte{
		"the last page": whole[:used-4096], "half of the last page": whole[:used-2048], "half of it": whole[:used/2],
		"all but the head": whole[:6000], "its head": append(make([]byte, 8192), whole[8192:]...), "all of it": []byte("this is no state file"),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Log("without " + name)
		s.StartFails("state is damaged", path, "put a backup in its place")
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, text) {
			t.Errorf("without %s: the file was changed, so that it cannot be mended: %v", name, err)
		}
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Restarted()
	if n := len(s.Events("")); n != 20 {
		t.Errorf("%d events wait after the backup was put back, want 20", n)
	}
}

func TestStateFileOfANewerFormatIsRefused(t *testing.T) {
	harness.Parallel(t)
	s, r := harness.NewServer(t, "", ""), harness.NewRecorder(t)
	path := keepEvents(s, r)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	newer := bytes.ReplaceAll(text, []byte("format\x00\x00\x00\x00\x00\x00\x00\x01"), []byte("format\x00\x00\x00\x00\x00\x00\x00\x02"))
	if bytes.Equal(newer, text) {
		t.Fatal("the file's format was not found")
	}
	if err := os.WriteFile(path, newer, 0o600); err != nil {
		t.Fatal(err)
	}
	s.StartFails("state is of a newer format", path, "has format 2, this Hearth knows 1", "run the newer Hearth that wrote it")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Restarted()
	if n := len(s.Events("")); n != 20 {
		t.Errorf("%d events wait, want 20", n)
	}
}
