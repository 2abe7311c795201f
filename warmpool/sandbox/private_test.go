package sandbox

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// What listens in an environment is for that alone: others listen on the same ports,
// and do not reach it at its address.
func TestEnvironmentsWithNetworksOfTheirOwnDoNotMeet(t *testing.T) {
	s := shared(t)
	needPrivate(t, s)
	const program = `
import os, socket, sys
def own(family, to):
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            s.connect((to, 9)); return s.getsockname()[0]
    except OSError: return "-"
listeners = []
for port in 80, 8080:
    for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
        l = socket.socket(socket.AF_INET6, kind); l.bind(("::", port)); listeners.append(l)
        if kind == socket.SOCK_STREAM: l.listen()
print(own(socket.AF_INET, "192.0.2.99"), own(socket.AF_INET6, "2001:db8::99"), flush=True)
for address in os.fdopen(3).readline().split():
    for host in ("127.0.0.1", address):
        try:
            socket.create_connection((host, 8080), 2).close(); print("connected", flush=True)
        except OSError as e: print(type(e).__name__, flush=True)
`
	begin := func(id string) (*session, string) {
		p := start(t, s, Spec{ID: id, Args: []string{"/usr/bin/python3", "-I", "-S", "-c", program}, Network: NetworkPrivate})
		return p, p.line()
	}
	one, ofOne := begin("one-private")
	other, ofOther := begin("other-private")
	if ofOne == ofOther || strings.HasPrefix(ofOne, "-") {
		t.Errorf("their addresses are %q and %q", ofOne, ofOther)
	}
	addresses := strings.Fields(strings.ReplaceAll(ofOne, "-", ""))
	if _, err := fmt.Fprintln(other.stdin, strings.Join(addresses, " ")); err != nil {
		t.Fatal(err)
	}
	for range addresses {
		if got := other.line(); got != "connected" {
			t.Errorf("its own port: %s", got)
		}
		if got := other.line(); got == "connected" {
			t.Error("it reached the other one")
		}
	}
	one.Kill()
}

// Addresses are used in turn, and all is given back.
func TestManyEnvironmentsHaveNetworksAtOnce(t *testing.T) {
	s := shared(t)
	needPrivate(t, s)
	const many = 200
	var mu sync.Mutex
	seen := map[string]bool{}
	var all sync.WaitGroup
	sessions := make([]*Process, many)
	for i := range many {
		p, err := s.Start(Spec{ID: fmt.Sprint("private-", i), Args: []string{"sleep", "1000"}, Network: NetworkPrivate})
		if err != nil {
			t.Fatal(err)
		}
		sessions[i] = p
		all.Go(func() {
			l, err := p.Listen("127.0.0.1:80")
			if err != nil {
				t.Error(err)
				return
			}
			l.Close()
		})
		mu.Lock()
		seen[p.network.Address().String()] = true
		mu.Unlock()
	}
	all.Wait()
	if len(seen) != many {
		t.Errorf("%d environments have %d addresses", many, len(seen))
	}
	for _, p := range sessions {
		p.Kill()
	}
	for _, p := range sessions {
		<-p.Done()
	}
	if n := s.private.network.Attached(); n != 0 {
		t.Errorf("%d are attached still", n)
	}
}
