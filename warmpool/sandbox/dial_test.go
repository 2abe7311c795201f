package sandbox

import (
	"context"
	"io"
	"testing"
)

func TestDialReachesAPortOfTheEnvironmentsOwn(t *testing.T) {
	s := shared(t)
	if !s.CanListen() {
		t.Fatal("this machine cannot enter networks")
	}
	p := start(t, s, Spec{Network: NetworkNone, Args: []string{"/usr/bin/python3", "-I", "-S", "-c", `
import os, socket
server = socket.create_server(("127.0.0.1", 8000))
os.write(1, b"up\n")
while True:
    c, _ = server.accept()
    c.sendall(b"hello")
    c.close()`}})
	p.line()
	for range 2 { // the first does not cost the process that makes the connection
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		c, err := p.Dial(ctx, 8000)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(c)
		c.Close()
		if err != nil || string(got) != "hello" {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if !s.CanListen() {
		t.Error("the process that makes the connection is lost")
	}
}
