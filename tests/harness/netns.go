package harness

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// A Netns is a network namespace with two ways out of it: one for clients and what
// functions reach, and one that leads to Redis and the other nodes, which can be cut.
type Netns struct {
	t                     *testing.T
	Name                  string
	Outside, Inside, Back string // addresses of the first way's ends, and of the second one out here
}

func NewNetns(t *testing.T) *Netns {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can make a network namespace")
	}
	addresses := freeNetwork(t)
	n := &Netns{t: t, Name: fmt.Sprintf("ht%x", rand.N(1<<28)), Outside: addresses + "1", Inside: addresses + "2", Back: addresses + "5"}
	if out, err := exec.Command("ip", "netns", "add", n.Name).CombinedOutput(); err != nil {
		t.Skipf("no network namespace can be made here: %s", out)
	}
	t.Cleanup(func() { n.IP("netns", "del", n.Name) }) // the links go with it
	for way, ends := range map[string][2]string{"c": {n.Outside, n.Inside}, "r": {n.Back, addresses + "6"}} {
		n.IP("link", "add", n.Name+way, "type", "veth", "peer", "name", way, "netns", n.Name)
		n.IP("addr", "add", ends[0]+"/30", "dev", n.Name+way)
		n.IP("link", "set", n.Name+way, "up")
		n.IP("-n", n.Name, "addr", "add", ends[1]+"/30", "dev", way)
		n.IP("-n", n.Name, "link", "set", way, "up")
	}
	n.IP("-n", n.Name, "link", "set", "lo", "up")
	return n
}

// freeNetwork is the beginning of the addresses of a network that no other test has, e.g.
// 10.213.7.; it is the test's until it ends.
func freeNetwork(t *testing.T) string {
	t.Helper()
	used, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		begin := fmt.Sprintf("10.213.%d.", rand.N(256))
		if slices.ContainsFunc(used, func(a net.Addr) bool { return strings.HasPrefix(a.String(), begin) }) {
			continue // another working tree's, or one that a test left which was killed
		}
		file := openLock(t, "network-"+begin)
		if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			t.Cleanup(func() { file.Close() })
			return begin
		}
		file.Close()
	}
	t.Fatal("all networks 10.213.0.0/24 to 10.213.255.0/24 are in use")
	return ""
}

// IP runs the command ip.
func (n *Netns) IP(args ...string) {
	n.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		n.t.Errorf("ip %s: %s", args, out)
	}
}

// Cut takes the way to Redis down, or up again.
func (n *Netns) Cut(state string) { n.t.Helper(); n.IP("link", "set", n.Name+"r", state) }
