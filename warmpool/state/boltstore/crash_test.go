package boltstore_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
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
// and says on stdout what was answered.
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
				fmt.Println(writer, round) // one write call: whole or not at all
			}
		})
	}
	group.Wait()
}

func roundOf(value []byte) int {
	text, _, _ := strings.Cut(string(value), " ")
	round, _ := strconv.Atoi(text)
	return round
}

func TestKillAtAnyInstantLosesNothingAnswered(t *testing.T) {
	const kills = 50
	path := filepath.Join(t.TempDir(), "state.db")
	answered := make([]int, crashWriters)
	for kill := range kills {
		runUntilKilled(t, path, answered)
		s := open(t, boltstore.Config{Path: path})
		for writer := range crashWriters {
			list, err := s.List(t.Context(), fmt.Sprint("writer", writer), "", "", 10)
			if err != nil {
				t.Fatal(err)
			}
			if len(list) == 0 && answered[writer] == 0 {
				continue
			}
			if len(list) != 2 || !bytes.Equal(list[0].Value, list[1].Value) {
				t.Fatalf("kill %d: half a transaction of writer %d", kill, writer)
			}
			if have := roundOf(list[0].Value); have < answered[writer] || have > answered[writer]+1 {
				t.Fatalf("kill %d: writer %d has round %d, answered was %d", kill, writer, have, answered[writer])
			} else {
				answered[writer] = have
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if answered[0] < kills {
		t.Errorf("only %d rounds in %d kills: the test shows little", answered[0], kills)
	}
}

// runUntilKilled lets the helper write for a random while after its first
// answer, kills it, and notes the last answers.
func runUntilKilled(t *testing.T, path string, answered []int) {
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
	lines := bufio.NewReader(out)
	var killed *time.Timer
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			if err != io.EOF {
				t.Error(err)
			}
			break
		}
		if killed == nil {
			killed = time.AfterFunc(rand.N(40*time.Millisecond), func() { _ = helper.Process.Kill() })
		}
		var writer, round int
		if _, err := fmt.Sscan(line, &writer, &round); err != nil {
			t.Errorf("the helper says %q", line)
			_ = helper.Process.Kill()
			continue
		}
		answered[writer] = round
	}
	if killed != nil {
		killed.Stop()
	}
	_ = helper.Wait()
}
