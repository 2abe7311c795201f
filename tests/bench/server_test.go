package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestStopEndsChildrenThatWereLeftBehind(t *testing.T) {
	folder := t.TempDir()
	fifo := filepath.Join(folder, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	// The child ignores SIGTERM and outlives its parent, which ends at once. It holds the
	// fifo open, so that the end of file tells of its death.
	s, err := startServer("stubborn", folder, "sh", "-c",
		`sh -c 'trap "" TERM; exec 9>"$0"; echo up >&9; while :; do sleep 60 9>&-; done' "$0" & wait`, fifo)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := os.Open(fifo)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	lines := bufio.NewReader(reader)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	s.stop()
	if _, err := io.ReadAll(lines); err != nil {
		t.Fatal(err)
	}
}

func TestReadyNamesWhyAServerEnded(t *testing.T) {
	s, err := startServer("broken", t.TempDir(), "sh", "-c", "echo no such directive >&2; exit 1")
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	err = s.ready(t.Context(), "http://127.0.0.1:1/", "ok")
	if err == nil || !strings.Contains(err.Error(), "no such directive") {
		t.Errorf("ready = %v, want the last words of the server", err)
	}
}

func TestReadyGivesUpWhenTheRunIsInterrupted(t *testing.T) {
	s, err := startServer("silent", t.TempDir(), "cat")
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.ready(ctx, "http://127.0.0.1:1/", "ok"); err == nil {
		t.Error("a server that answers nothing is ready")
	}
}

func TestWrongAnswerIsNotReady(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/missing" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, "hello")
	}))
	defer http.DefaultClient.CloseIdleConnections()
	defer site.Close()
	for _, test := range []struct {
		path, body string
		ok         bool
	}{{"/", "hello", true}, {"/", "other", false}, {"/missing", "hello", false}} {
		if err := expect(t.Context(), site.URL+test.path, test.body); (err == nil) != test.ok {
			t.Errorf("expect(%s, %q) = %v", test.path, test.body, err)
		}
	}
}
