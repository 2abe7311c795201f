package harness

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
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
	net := fmt.Sprintf("10.213.%d.", rand.N(256))
	n := &Netns{t: t, Name: fmt.Sprintf("ht%x", rand.N(1<<28)), Outside: net + "1", Inside: net + "2", Back: net + "5"}
	if out, err := exec.Command("ip", "netns", "add", n.Name).CombinedOutput(); err != nil {
		t.Skipf("no network namespace can be made here: %s", out)
	}
	t.Cleanup(func() { n.IP("netns", "del", n.Name) }) // the links go with it
	for way, ends := range map[string][2]string{"c": {n.Outside, n.Inside}, "r": {n.Back, net + "6"}} {
		n.IP("link", "add", n.Name+way, "type", "veth", "peer", "name", way, "netns", n.Name)
		n.IP("addr", "add", ends[0]+"/30", "dev", n.Name+way)
		n.IP("link", "set", n.Name+way, "up")
		n.IP("-n", n.Name, "addr", "add", ends[1]+"/30", "dev", way)
		n.IP("-n", n.Name, "link", "set", way, "up")
	}
	n.IP("-n", n.Name, "link", "set", "lo", "up")
	return n
}

func (n *Netns) IP(args ...string) {
	n.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		n.t.Errorf("ip %s: %s", args, out)
	}
}

// Cut takes the way to Redis down, or up again.
func (n *Netns) Cut(state string) { n.t.Helper(); n.IP("link", "set", n.Name+"r", state) }
