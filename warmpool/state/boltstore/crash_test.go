package boltstore_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/state"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
)

// crashFile names the file that this test binary, as a helper, writes to.
const crashFile = "HEARTH_STATE_CRASH_FILE"

const crashWriters = 4

// writeUntilKilled changes two records of each writer together, round by round,
// moves entries through the queue, and says on stdout what was answered.
func writeUntilKilled(path string) {
	s, err := boltstore.Open(boltstore.Config{Path: path})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	ctx := context.Background()
	var group sync.WaitGroup
	for writer := range crashWriters {
		owner := fmt.Sprint("writer", writer)
		round := 0
		if r, err := s.Read(ctx, state.Key{Owner: owner, Name: "a"}); err == nil {
			round = roundOf(r.Value)
		}
		group.Go(func() {
			for {
				round++
				value := append([]byte(strconv.Itoa(round)+" "), bytes.Repeat([]byte{'x'}, round%5000)...)
				if _, err := s.Change(ctx, owner, state.Put("a", state.Any, value), state.Put("b", state.Any, value)); err != nil {
					fmt.Println("error", err)
					os.Exit(1)
				}
				say("record", writer, round)
			}
		})
	}
	for range 2 {
		group.Go(func() { pushUntilKilled(ctx, s) })
		group.Go(func() { workUntilKilled(ctx, s) })
	}
	group.Wait()
}

// say writes a line by one call: whole or not at all.
func say(words ...any) { fmt.Println(words...) }

func pushUntilKilled(ctx context.Context, s *boltstore.Store) {
	for i := 0; ; i++ {
		ids, err := s.Push(ctx, fmt.Sprint("group", i%3), state.Item{Body: crashBody}, state.Item{Body: crashBody})
		if err != nil {
			say("error", err)
			os.Exit(1)
		}
		say("pushed", ids[0], ids[1])
	}
}

// workUntilKilled ends, retries or buries two of three entries.
func workUntilKilled(ctx context.Context, s *boltstore.Store) {
	for i := 0; ; i++ {
		leases, _, err := s.Lease(ctx, state.Want{Max: 1, For: time.Hour})
		if err == nil && len(leases) == 0 {
			time.Sleep(100 * time.Microsecond)
			continue
		}
		if err == nil {
			switch l := leases[0]; i % 3 {
			case 0:
				say("ending", l.ID, 0)
				if err = s.Done(ctx, l); err == nil {
					say("ended", l.ID, 0)
				}
			case 1:
				l.At = time.Time{}
				err = s.Retry(ctx, l)
			case 2:
				err = s.Bury(ctx, l)
			}
		}
		if err != nil {
			say("error", err)
			os.Exit(1)
		}
	}
}

var crashBody = bytes.Repeat([]byte("event "), 200)

func roundOf(value []byte) int {
	text, _, _ := strings.Cut(string(value), " ")
	round, _ := strconv.Atoi(text)
	return round
}

// What the helper was answered before it was killed.
type answers struct {
	rounds []int
	pushed map[string]bool
	ending map[string]bool // may have ended
	ended  map[string]bool
}

func TestKillAtAnyInstantLosesNothingAnswered(t *testing.T) {
	seed := rand.Uint64()
	if text := os.Getenv("HEARTH_TEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("random instants come again with HEARTH_TEST_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const kills = 50
	path := filepath.Join(t.TempDir(), "state.db")
	got := answers{make([]int, crashWriters), map[string]bool{}, map[string]bool{}, map[string]bool{}}
	for kill := range kills {
		runUntilKilled(t, path, random, &got)
		s := open(t, boltstore.Config{Path: path})
		got.checkRecords(t, s)
		got.checkQueue(t, s)
		if t.Failed() {
			t.Fatalf("after kill %d", kill)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// A slow disk lets less be done between two kills.
	if got.rounds[0] < kills/2 || len(got.pushed) < kills/2 || len(got.ended) < kills/2 {
		t.Errorf("only %d rounds, %d pushed and %d ended in %d kills: the test shows little", got.rounds[0], len(got.pushed), len(got.ended), kills)
	}
}

func (a *answers) checkRecords(t *testing.T, s *boltstore.Store) {
	t.Helper()
	for writer := range crashWriters {
		list, err := s.List(t.Context(), fmt.Sprint("writer", writer), "", "", 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 && a.rounds[writer] == 0 {
			continue
		}
		if len(list) != 2 || !bytes.Equal(list[0].Value, list[1].Value) {
			t.Fatalf("half a transaction of writer %d", writer)
		}
		have := roundOf(list[0].Value)
		if have < a.rounds[writer] || have > a.rounds[writer]+1 {
			t.Errorf("writer %d has round %d, answered was %d", writer, have, a.rounds[writer])
		}
		a.rounds[writer] = have
	}
}

func (a *answers) checkQueue(t *testing.T, s *boltstore.Store) {
	t.Helper()
	have := map[string]int{}
	for group := range 3 {
		for _, buried := range []bool{false, true} {
			for after := ""; ; {
				page, next, err := s.Entries(t.Context(), fmt.Sprint("group", group), buried, after, 1000)
				if err != nil {
					t.Fatal(err)
				}
				for _, entry := range page {
					have[entry.ID]++
					if !bytes.Equal(entry.Body, crashBody) {
						t.Errorf("entry %s is not what was pushed", entry.ID)
					}
				}
				if after = next; next == "" {
					break
				}
			}
		}
	}
	for id := range a.pushed {
		switch {
		case have[id] == 0 && !a.ending[id]:
			t.Errorf("entry %s was answered and is lost", id)
		case have[id] > 0 && a.ended[id]:
			t.Errorf("entry %s had ended and is back", id)
		case have[id] > 1:
			t.Errorf("entry %s is there %d times", id, have[id])
		}
	}
}

// runUntilKilled lets the helper write for a random while after its first
// answer, kills it, and notes its answers.
func runUntilKilled(t *testing.T, path string, random *rand.Rand, got *answers) {
	t.Helper()
	helper := exec.CommandContext(t.Context(), os.Args[0])
	helper.Env = append(os.Environ(), crashFile+"="+path)
	helper.Stderr = os.Stderr
	out, err := helper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := helper.Start(); err != nil {
		t.Fatal(err)
	}
	var killed *time.Timer
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if killed == nil {
			killed = time.AfterFunc(time.Duration(random.Int64N(int64(40*time.Millisecond))), func() { _ = helper.Process.Kill() })
		}
		words := strings.Fields(lines.Text())
		if len(words) != 3 || !got.note(words) {
			t.Errorf("the helper says %q", lines.Text())
			_ = helper.Process.Kill()
		}
	}
	if killed != nil {
		killed.Stop()
	}
	_ = helper.Wait()
}

func (a *answers) note(words []string) bool {
	switch words[0] {
	case "record":
		writer, _ := strconv.Atoi(words[1])
		a.rounds[writer], _ = strconv.Atoi(words[2])
	case "pushed":
		a.pushed[words[1]], a.pushed[words[2]] = true, true
	case "ending":
		a.ending[words[1]] = true
	case "ended":
		a.ended[words[1]] = true
	default:
		return false
	}
	return true
}
