package sandbox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// connects keeps a connection to a port open until it reads a line.
func connects(port int) []string {
	return []string{"bash", "-c", fmt.Sprintf("exec 5<>/dev/tcp/127.0.0.1/%d && echo connected && read -r line <&3", port)}
}

// listen listens on loopback until the end of the test.
func listen(t *testing.T) (l *net.TCPListener, port int) {
	t.Helper()
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, l.Addr().(*net.TCPAddr).Port
}

func accept(t *testing.T, l *net.TCPListener) net.Conn {
	t.Helper()
	if err := l.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestPeerIsOneOfTheEnvironmentsOwnProcesses(t *testing.T) {
	for _, mode := range []string{On, Off} {
		t.Run(mode, func(t *testing.T) {
			s := inMode(t, mode)
			l, port := listen(t)
			// The connection is that of a process three generations down.
			nested := []string{"sh", "-c", `sh -c '"$@" & wait' sh "$@"; exit 0`, "sh"}
			one := start(t, s, Spec{ID: "one-" + mode, Args: append(nested, connects(port)...)})
			ofOne := accept(t, l)
			other := start(t, s, Spec{ID: "other-" + mode, Args: connects(port)})
			ofOther := accept(t, l)

			if err := one.CheckPeer(ofOne); err != nil {
				t.Errorf("its own: %v", err)
			}
			if err := other.CheckPeer(ofOther); err != nil {
				t.Errorf("the other's own: %v", err)
			}
			if err := one.CheckPeer(ofOther); !errors.Is(err, ErrStranger) {
				t.Errorf("another environment: got %v", err)
			}
			if err := other.CheckPeer(ofOne); !errors.Is(err, ErrStranger) {
				t.Errorf("another environment: got %v", err)
			}
			mine, err := net.Dial("tcp4", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer mine.Close()
			if err := one.CheckPeer(accept(t, l)); !errors.Is(err, ErrStranger) {
				t.Errorf("the gateway itself: got %v", err)
			}
			one.Kill()
			one.wait()
			if err := one.CheckPeer(ofOther); !errors.Is(err, ErrStranger) {
				t.Errorf("after its end: got %v", err)
			}
		})
	}
}

func TestRootPeerOfAnotherUserIsAStranger(t *testing.T) {
	needRoot(t)
	s := shared(t)
	l, port := listen(t)
	env := start(t, s, Spec{ID: "victim", Args: []string{"sh", "-c", "echo here; read -r line <&3"}})
	env.line()
	args := connects(port)
	thief := exec.Command(args[0], args[1:]...)
	in, hold := pipe(t)
	defer hold.Close()
	thief.ExtraFiles = []*os.File{in}
	thief.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, Pdeathsig: syscall.SIGKILL}
	if err := thief.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	conn := accept(t, l)
	if err := env.CheckPeer(conn); !errors.Is(err, ErrStranger) {
		t.Errorf("got %v", err)
	}
	hold.Close()
	thief.Wait() // by the end of its input
	// What is closed already is nobody's.
	if err := env.CheckPeer(conn); !errors.Is(err, ErrStranger) {
		t.Errorf("a closed connection: got %v", err)
	}
}

func TestListenerInsideIsForTheEnvironmentAlone(t *testing.T) {
	s := shared(t)
	const port = 9001
	spare := kept(s) // first: it waits for what is being made
	before := openFiles(t) - spare
	for _, id := range []string{"first", "second"} { // at the same address
		env := start(t, s, Spec{ID: id, Network: NetworkNone,
			Args: append([]string{"sh", "-c", `echo waits; read -r line <&3; exec "$@"`, "sh"}, connects(port)...)})
		env.line()
		l, err := env.Listen(fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if _, err := env.stdin.WriteString("go\n"); err != nil {
			t.Fatal(err)
		}
		accept(t, l.(*net.TCPListener)).Close()
		if conn, err := net.DialTimeout("tcp4", l.Addr().String(), time.Second); err == nil {
			conn.Close()
			t.Errorf("the endpoint of %s can be reached from outside", id)
		}
		l.Close()
		env.Kill()
		env.wait()
		if _, err := env.Listen("127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), "ended") {
			t.Errorf("after the end: got %v", err)
		}
		env.stdin.Close()
	}
	after := openFiles(t) - kept(s)
	for end := time.Now().Add(patience); after > before && time.Now().Before(end); after = openFiles(t) - kept(s) {
		time.Sleep(time.Millisecond) // goroutines of sessions may close theirs a moment later
	}
	if after > before {
		t.Errorf("%d files open, %d before", after, before)
	}
}

func TestEndpointIsThereBeforeTheCommand(t *testing.T) {
	s := shared(t)
	networks := []Network{NetworkNone}
	if s.Private() == nil {
		networks = append(networks, NetworkPrivate)
	}
	for i, network := range networks {
		env := start(t, s, Spec{ID: fmt.Sprint("endpoint-", i), Network: network, Endpoint: "127.0.0.1:9001", Args: connects(9001)})
		l := env.Endpoint()
		if l == nil {
			t.Fatal("there is no endpoint")
		}
		accept(t, l.(*net.TCPListener)).Close()
		l.Close()
		env.Kill()
		env.wait()
	}
	p, err := s.Start(Spec{ID: "endpoint-bad", Network: NetworkNone, Endpoint: "nowhere", Args: []string{"true"}})
	if err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("an endpoint nowhere: %v, %v", p, err)
	}
}

// A socket has the user that made it, and that user ends before the environment does
// that got the socket: the next of the same user is not taken for it.
func TestPeerIsNotWhoeverHasTheSameUser(t *testing.T) {
	s := needUsers(t)
	l, port := listen(t)
	one := start(t, s, Spec{ID: "one-of-two", Args: connects(port)})
	conn := accept(t, l)
	other := start(t, s, Spec{ID: "two-of-two", Args: []string{"sh", "-c", "read -r line <&3"}})
	if err := one.CheckPeer(conn); err != nil {
		t.Fatal(err)
	}
	user := other.identity.uid
	other.identity.uid = one.identity.uid
	defer func() { other.identity.uid = user }()
	if err := other.CheckPeer(conn); !errors.Is(err, ErrStranger) {
		t.Errorf("a connection of another environment with the same user: got %v", err)
	}
}

func TestUsersOfEnvironmentsAreTakenInTurn(t *testing.T) {
	r := newUserRange(firstUID, identities)
	r.next = identities - 2
	var users []int
	for range 4 {
		uid, err := r.take()
		if err != nil {
			t.Fatal(err)
		}
		users = append(users, uid-firstUID)
		r.release(uid)
	}
	if got := fmt.Sprint(users); got != fmt.Sprint([]int{identities - 2, identities - 1, 0, 1}) {
		t.Errorf("got %s", got)
	}
}
