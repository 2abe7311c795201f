package caddymodule

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAdminSocketIsClaimedOnlyWhereThisProcessCanListen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.sock")
	if err := claimSocket(path); err != nil {
		t.Errorf("a new socket: %v", err)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	if err := claimSocket(path); err != nil {
		t.Errorf("a socket of this process: %v", err)
	}
	if process, err := listenerOf(path); process != os.Getpid() || err != nil {
		t.Errorf("process %d listens, %v, want %d", process, err, os.Getpid())
	}
	listener.Close()
	if err := claimSocket(path); err != nil {
		t.Errorf("a socket that a dead process left: %v", err)
	}
	missing := filepath.Join(dir, "missing", "a.sock")
	if err := claimSocket(missing); err == nil || !strings.Contains(err.Error(), missing) || !strings.Contains(err.Error(), "option admin") {
		t.Errorf("a socket in no folder: %v", err)
	}
	if os.Geteuid() != 0 {
		return // only root may give a file away
	}
	if err := os.Chown(path, 1, 1); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if owner := ownerOf(info); owner == "" || owner == "root" {
		t.Errorf("the owner is %q", owner)
	}
}
