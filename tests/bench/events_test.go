package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestAcceptedEventsAreJudgedByTheLesserOfNumberAndDisk(t *testing.T) {
	for _, test := range []struct {
		accepted, disk float64
		wanted         string
		met            bool
	}{{8100, 40000, ">= 8000", true}, {7900, 40000, ">= 8000", false}, {3000, 5000, ">= 2500", true}} {
		goals := judge(report{Figures: []figure{
			{"events accepted", "events/s", test.accepted},
			{"events accepted", "the disk allows, events/s", test.disk},
		}})
		if len(goals) != 1 || goals[0].Wanted != test.wanted || goals[0].Met != test.met {
			t.Errorf("%v of %v: %+v", test.accepted, test.disk, goals)
		}
	}
}

func TestCommitsAreReadFromTheNewerHead(t *testing.T) {
	s := &stage{folder: t.TempDir()}
	if err := os.Mkdir(filepath.Join(s.folder, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	heads := make([]byte, 2*os.Getpagesize())
	binary.NativeEndian.PutUint64(heads[64:], 7)
	binary.NativeEndian.PutUint64(heads[os.Getpagesize()+64:], 8)
	if err := os.WriteFile(filepath.Join(s.folder, "data", "state.db"), heads, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := commitsOf(s); err != nil || got != 8 {
		t.Errorf("commits = %d, %v, want 8", got, err)
	}
}

func TestDiskIsMeasuredAndItsFileRemoved(t *testing.T) {
	folder := t.TempDir()
	if got, err := diskAllows(t.Context(), folder, 2.5, 50*time.Millisecond); err != nil || got <= 0 {
		t.Errorf("disk allows %v, %v", got, err)
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestMemoryIsThatOfTheProcess(t *testing.T) {
	own, files, err := memoryOf(os.Getpid())
	if err != nil || own <= 0 || files <= 0 {
		t.Errorf("memory = %v and %v, %v", own, files, err)
	}
}
