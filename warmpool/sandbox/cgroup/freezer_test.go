package cgroup

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCgroupOfVersion2IsFrozenByItsFile(t *testing.T) {
	dir := t.TempDir()
	v2Files(t, dir)
	g := V2At(dir)
	if !g.CanFreeze() {
		t.Fatal("it cannot be frozen")
	}
	for want, do := range map[string]func() error{"1": g.Freeze, "0": g.Thaw} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
		if got := read(t, filepath.Join(dir, freezeFile)); got != want {
			t.Errorf("%s holds %q, want %q", freezeFile, got, want)
		}
	}
	if err := os.Remove(filepath.Join(dir, freezeFile)); err != nil {
		t.Fatal(err)
	}
	if err := g.Freeze(); err == nil {
		t.Error("no error though it is gone")
	}
}

// Limits may be of version 1, but only version 2 freezes so that what is frozen can be
// killed.
func TestFreezerIsOfVersion2WhateverTheLimitsAre(t *testing.T) {
	child := Cgroup{memory: "/m", pids: "/p", cpu: "/c", freezer: "/f"}.child("env")
	for got, want := range map[string]string{child.memory: "/m/env", child.pids: "/p/env", child.cpu: "/c/env", child.freezer: "/f/env"} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if n, m := len(child.controllers()), len(child.dirs()); n != 3 || m != 4 {
		t.Errorf("%d controllers, %d folders", n, m)
	}
	child.freezer = ""
	if child.CanFreeze() || len(child.dirs()) != 3 {
		t.Error("it can be frozen without version 2")
	}
	if dir, err := child.OpenDir(); dir != nil || err != nil {
		t.Errorf("it begins in %v, %v", dir, err)
	}
}

// A kernel that has no such file makes folders that look like others.
func TestKernelThatCannotFreezeIsFoundOut(t *testing.T) {
	h := &Hierarchy{}
	parent := t.TempDir()
	h.openFreezer(parent, "hearth-sandbox-x")
	h.openFreezer("", "hearth-sandbox-x")
	h.openFreezer(filepath.Join(parent, "missing"), "hearth-sandbox-x")
	if h.CanFreeze() || len(h.locks) > 0 {
		t.Error("it takes any folder for a cgroup")
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
