package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/sys/unix"
)

// withHolder is a Sandbox of a user that is not root: as root these tests have
// nothing to do, TestUnprivilegedGateway runs them.
func withHolder(t *testing.T) *Sandbox {
	t.Helper()
	if os.Geteuid() == 0 {
		t.Skip("a gateway that is root has no holder")
	}
	s := open(t, Config{})
	if !s.CanAssume() || !s.CanListen() {
		t.Fatal("there is no holder")
	}
	return s
}

// What a holder that is lost takes with it are stems. Another one comes by itself.
func TestHolderThatIsLostComesBack(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("a gateway that is root has no holder")
	}
	core, logs := observer.New(zap.InfoLevel)
	s, err := New(Config{}, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	before := start(t, s, Spec{ID: "before", Args: []string{"sh", "-c", "echo runs; read -r line <&3; echo on"}})
	before.line()
	st := bootStem(t, s, "stem")
	if err := unix.Kill(s.holder.Load().cmd.Process.Pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-st.Done()
	if err := st.Assume(Assumption{}); err == nil {
		t.Error("a stem of a holder that is lost has a function")
	}
	for round := range 3 {
		soon(t, "another holder is there", s.CanAssume)
		next := bootStem(t, s, fmt.Sprint("next-", round))
		if err := next.Assume(Assumption{Mounts: []Mount{{folder(t, nil), TaskRoot}}}); err != nil {
			t.Fatal(err)
		}
		if got := next.run("id -u"); got != "993" {
			t.Errorf("the next stem says %q", got)
		}
		if err := s.holder.Load().cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-s.holder.Load().gone
	}
	soon(t, "it is back once more", s.CanAssume)
	if n, m := logs.FilterMessageSnippet("has ended, and is started again").Len(), logs.FilterMessageSnippet("is back").Len(); n != 4 || m < 3 {
		t.Errorf("it was said %d times that it ended, %d times that it is back", n, m)
	}
	if got := run(t, s, "id -u", Spec{ID: "after"}); got != "993" {
		t.Errorf("a new environment says %q", got)
	}
	if _, err := before.stdin.WriteString("go\n"); err != nil {
		t.Fatal(err)
	}
	if got := before.line(); got != "on" {
		t.Errorf("the environment from before says %q", got)
	}
}

// Descriptors that are on their way between processes count, for the whole user. When
// there are too many, orders fail, and the holder stays.
func TestHolderOutlivesTooManyDescriptors(t *testing.T) {
	s := withHolder(t)
	before := s.holder.Load()
	st := bootStem(t, s, "stem")
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	low := limit
	low.Cur = uint64(openFiles(t)) + 100
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	close := func() {
		unix.Close(fds[0])
		unix.Close(fds[1])
	}
	defer func() { close() }()
	many := make([]int, 100)
	for i := range many {
		many[i] = fds[0]
	}
	for sent := 0; err == nil; sent++ {
		err = unix.Sendmsg(fds[0], []byte{0}, unix.UnixRights(many...), nil, unix.MSG_NOSIGNAL)
		if sent > 1000 {
			t.Fatal("no limit")
		}
	}
	if !errors.Is(err, unix.ETOOMANYREFS) {
		t.Fatalf("got %v", err)
	}
	mounts := Assumption{Mounts: []Mount{{folder(t, nil), TaskRoot}}}
	if err := st.Assume(mounts); !errors.Is(err, errNoDescriptor) {
		t.Errorf("got %v", err)
	}
	if got := run(t, s, "id -u", Spec{ID: "meanwhile"}); got != "993" {
		t.Errorf("an environment without a stem says %q", got)
	}
	close()
	close = func() {}
	next := bootStem(t, s, "next")
	soon(t, "what was on its way is gone", func() bool {
		_, err := before.do(order{Do: orderUserns}, nil)
		return err == nil
	})
	if err := next.Assume(mounts); err != nil {
		t.Error(err)
	}
	if s.holder.Load() != before || !before.works() {
		t.Error("the holder was given up")
	}
}

func TestHolderIsOutOfSightOfFunctions(t *testing.T) {
	s := withHolder(t)
	st := bootStem(t, s, "stem")
	if err := st.Assume(Assumption{Mounts: []Mount{{folder(t, nil), TaskRoot}}}); err != nil {
		t.Fatal(err)
	}
	users, closed := "993 0 1", "not permitted"
	if hasUsers(s) {
		users, closed = "\n 0 0 1", "denied" // beside its own
	}
	for line, want := range map[string]string{
		"set -- /proc/[0-9]*; echo $#":                                             "2", // bwrap and the shell
		"grep -c hearth-holder /proc/[0-9]*/cmdline":                               "",
		"tr -s ' ' </proc/self/uid_map":                                            users,
		"nsenter --user=/proc/1/ns/user true 2>&1 | grep -oiE 'not perm.*|denied'": closed,
	} {
		got := st.run(line)
		if want == "" && !strings.Contains(got, ":1") || want != "" && strings.Contains(got, strings.TrimSpace(want)) {
			continue
		}
		t.Errorf("%s: got %q, want %q", line, got, want)
	}
}

func TestHolderEndsWithItsSandbox(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("a gateway that is root has no holder")
	}
	before := openFiles(t)
	s, err := New(Config{}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	pid := s.holder.Load().cmd.Process.Pid
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(pid, 0); err == nil {
		t.Error("the holder is left")
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d files open, %d before", after, before)
	}
}

// What comes from the gateway is trusted; what is wrong with it is said anyway.
func TestOrdersThatMakeNoSenseAreRefused(t *testing.T) {
	for message, want := range map[string]string{
		"{":                "unexpected end",
		`{"Do":"mount"}`:   "no namespace",
		`{"Do":"listen"}`:  "no namespace",
		`{"Do":"destroy"}`: `order "destroy" is unknown`,
	} {
		if _, err := new(orderServer).carryOut([]byte(message), nil, &answer{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", message, err, want)
		}
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for message, want := range map[string]string{
		`{"Do":"destroy"}`:                   "unknown",
		`{"Do":"mount"}`:                     "enter the mount namespace",
		`{"Do":"listen","Listen":":no:no:"}`: "enter the network",
	} {
		if _, err := new(orderServer).carryOut([]byte(message), null, &answer{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", message, err, want)
		}
	}
}

// Where this program may not make user namespaces but bwrap may, as by AppArmor's
// profiles, functions run all the same.
func TestWithoutAHolderThereAreNoStemsAndItIsSaid(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("a gateway that is root has no holder")
	}
	core, logs := observer.New(zap.WarnLevel)
	s := open(t, Config{})
	s.log = zap.New(core)
	s.holder.Swap(nil).close()
	s.canAssume = false
	s.lent, s.users = nil, nil
	s.probeAssume(func(*starter, *subordinate, *userRange) (*holder, error) { return nil, exec.ErrNotFound })
	if s.CanAssume() || s.CanListen() {
		t.Error("stems without a holder")
	}
	if n := logs.FilterMessageSnippet("no stems").Len(); n != 1 {
		t.Errorf("it was said %d times", n)
	}
	if got := run(t, s, "id -u", Spec{}); got != "993" {
		t.Errorf("an environment says %q", got)
	}
	env := start(t, s, Spec{ID: "listen", Network: NetworkNone, Args: []string{"sh", "-c", "read -r line <&3"}})
	if _, err := env.Listen("127.0.0.1:9001"); err == nil || !strings.Contains(err.Error(), "network host") {
		t.Errorf("got %v", err)
	}
}
