package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/sandbox/network"
)

// A program of many threads cannot become a holder, so it is started anew as one,
// before anything else of it runs.
func init() {
	if len(os.Args) == 1 && os.Args[0] == holderName {
		serveOrders(3)
		os.Exit(0)
	}
}

// serveOrders is a holder's life: until the gateway closes its end.
func serveOrders(conn int) {
	unix.CloseOnExec(conn)
	for {
		message, file, err := receive(conn)
		if err != nil {
			return
		}
		made, err := carryOut(message, file)
		var a answer
		if err != nil {
			a.Error = err.Error()
		}
		reply, err := json.Marshal(a)
		if err == nil {
			err = send(conn, reply, made)
		}
		for _, f := range []*os.File{file, made} {
			if f != nil {
				f.Close()
			}
		}
		if err != nil {
			return
		}
	}
}

// carryOut does what an order says. The file that it makes goes with the answer.
func carryOut(message []byte, namespace *os.File) (*os.File, error) {
	var o order
	if err := json.Unmarshal(message, &o); err != nil {
		return nil, err
	}
	if o.Do != orderUserns && namespace == nil {
		return nil, errors.New("no namespace came with the order")
	}
	switch o.Do {
	case orderUserns:
		program, err := exec.LookPath("/bin/cat")
		if err != nil {
			return nil, fmt.Errorf("coreutils have to be installed: %w", err)
		}
		return makeUserns(program, 0, (*exec.Cmd).Start)
	case orderMount:
		return nil, o.Late.make(namespace)
	case orderListen:
		return listenIn(namespace, o.Listen)
	}
	return nil, fmt.Errorf("order %q is unknown", o.Do)
}

// listenIn is a socket that listens in a network namespace.
func listenIn(namespace *os.File, address string) (*os.File, error) {
	var f *os.File
	err := network.Inside(namespace, func() error {
		l, err := net.Listen("tcp4", address)
		if err != nil {
			return err
		}
		defer l.Close()
		f, err = l.(*net.TCPListener).File()
		return err
	})
	return f, err
}
