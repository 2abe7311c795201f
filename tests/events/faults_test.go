package events

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

func TestEventsAreSentBackWhenTheDiskIsFullAndNoneIsLost(t *testing.T) {
	harness.Parallel(t)
	s, l := harness.NewServer(t, "", ""), harness.NewLedger(t)
	free := s.SmallDisk(16)
	block, open := l.Gated(s, "f")
	s.Configure(block, "receive /hooks/* generic {\n open\n}")
	s.Start()

	accepted := make(map[string]bool)
	send := func(n, size int) harness.Response {
		id := fmt.Sprint(n)
		got := s.Post("/hooks/f", fmt.Sprintf(`{"id":%q,"pad":%q}`, id, strings.Repeat("x", size)))
		if got.Status/100 == 2 {
			accepted[id] = true
		} else if got.Status != 503 || got.Header.Get("Retry-After") == "" || !strings.Contains(got.Body, "could not be kept") {
			t.Fatalf("an event is answered %d %s", got.Status, got.Body)
		}
		return got
	}
	refused := 0
	for n := 0; refused < 20; n++ {
		if send(n, 100_000).Status == 503 {
			refused++
		}
		if n > 1000 {
			t.Fatal("the disk is not full after 100 MB")
		}
	}
	if !strings.Contains(s.Output(), "no space is left for file") {
		t.Error("the server's log does not say that the disk is full")
	}
	t.Logf("%d events of 100 KB were accepted, then refused", len(accepted))

	// It starts on a full disk too, and has all.
	s.Kill()
	s.FillDisk()
	s.Restarted()
	if n := len(s.Events("?limit=1000")); n < len(accepted) {
		t.Errorf("%d events wait after a restart, want %d", n, len(accepted))
	}
	free()
	if got := send(2000, 1000); got.Status != 200 {
		t.Errorf("with space again an event is answered %d %s", got.Status, got.Body)
	}
	open()
	l.Wait(accepted)
	s.NothingWaits()
}

func TestEventsAreTakenAgainWhenTheDiskHasSpaceAgain(t *testing.T) {
	harness.Parallel(t)
	s, l := harness.NewServer(t, "", ""), harness.NewLedger(t)
	free := s.SmallDisk(8)
	s.Configure(l.Function(s, "f", `event["id"]`), "receive /hooks/* generic {\n open\n}")
	s.Start()
	accepted := make(map[string]bool)
	send := func(id string, size int) int {
		got := s.Post("/hooks/f", fmt.Sprintf(`{"id":%q,"pad":%q}`, id, strings.Repeat("x", size)))
		if got.Status == 200 {
			accepted[id] = true
		}
		return got.Status
	}
	send("before", 10)
	s.FillDisk()
	status := 0
	for n := 0; n < 20 && status != 503; n++ {
		status = send(fmt.Sprintf("full-%d", n), 900_000)
	}
	if status != 503 {
		t.Errorf("an event is answered %d on a full disk", status)
	}
	free()
	if status := send("after", 900_000); status != 200 {
		t.Errorf("an event is answered %d when there is space again", status)
	}
	l.Wait(accepted)
}

func TestFirstStartOnAFullDiskSaysSo(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	s.SmallDisk(2)
	s.FillDisk()
	s.StartFails("no space left", filepath.Join(s.Dir, "data"))
}
