package sandbox

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/hearthfn/hearth/tests/harness"
	"github.com/hearthfn/hearth/warmpool/sandbox/network"
)

// What a function tries on the network: [kind, host, port, whether it has to work], and what
// came of each. What has to work is tried again, for a machine that is busy.
const prober = `
import http.client, json, socket

kept = []

def attempt(kind, host, port):
    try:
        if kind == "abstract":
            with socket.socket(socket.AF_UNIX) as s:
                s.connect("\0" + host)
                return "connected"
        if kind == "listen":
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            s.bind((host, port))
            s.listen()
            kept.append(s)
            return "listening"
        if kind == "connect":
            with socket.create_connection((host, port), 1.5):
                return "connected"
        if kind == "unsigned":
            api = http.client.HTTPConnection(host, port, timeout=5)
            api.request("GET", "/2015-03-31/functions/")
            return str(api.getresponse().status)
        if kind == "socket":
            socket.socket(*map(int, host.split(","))).close()
            return "made"
        family, type_, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)[0]
        with socket.socket(family, type_) as s:
            s.settimeout(1.5)
            s.connect(address)
            s.send(b"hello\n")
            return s.recv(100).decode().strip()
    except Exception as e:
        return "%s: %s" % (type(e).__name__, e)

def attempts(kind, host, port, wanted):
    for _ in range(6 if wanted else 1):
        said = attempt(kind, host, port)
        if not said.startswith("TimeoutError"):
            break
    return said

def handler(event, context):
    return {"statusCode": 200, "body": json.dumps([attempts(*a) for a in json.loads(event["body"])])}
`

// A world is two hosts in network namespaces: the machine that a server runs on, and
// what is beyond it.
//
//	test --- machine --- beyond
type world struct {
	t       *testing.T
	machine *harness.Netns // with the way to the test
	beyond  string
}

const (
	publicV4, publicV6   = "203.0.113.1", "2001:db8::1" // beyond
	machineV4, machineV6 = "203.0.113.2", "2001:db8::2"
	bridgeV4             = "172.29.0.1" // the machine's too, as that of a bridge of containers
	lanV4                = "10.99.0.1"  // beyond
	// The same two behind a translator (NAT64).
	translatedPublicV4, translatedLanV4 = "64:ff9b::cb00:7101", "64:ff9b::a63:1"
)

// metadata is where clouds keep secrets; a cruel host beyond answers there.
func metadata() []string {
	return []string{"169.254.169.254", "100.100.100.200", "fd00:ec2::254", "fd20:ce::254"}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, machine: harness.NewNetns(t)}
	w.beyond = w.machine.Name + "b"
	m := w.machine
	m.IP("netns", "add", w.beyond)
	t.Cleanup(func() { m.IP("netns", "del", w.beyond) })
	m.IP("-n", m.Name, "link", "add", "wan", "type", "veth", "peer", "name", "wan", "netns", w.beyond)
	for _, ns := range []string{m.Name, w.beyond} {
		m.IP("-n", ns, "link", "set", "lo", "up")
		m.IP("-n", ns, "link", "set", "wan", "up")
	}
	for _, a := range []string{machineV4 + "/24", machineV6 + "/64"} {
		m.IP("-n", m.Name, "addr", "add", a, "dev", "wan", "nodad")
	}
	m.IP("-n", m.Name, "addr", "add", bridgeV4+"/32", "dev", "lo")
	for _, a := range append([]string{publicV4 + "/24", publicV6 + "/64", lanV4, translatedPublicV4, translatedLanV4}, metadata()...) {
		m.IP("-n", w.beyond, "addr", "add", a, "dev", "wan", "nodad")
	}
	in(t, m.Name, func() error { // as most machines have it, and not this one where a server of Hearth runs
		return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("0"), 0)
	})
	m.IP("-n", m.Name, "route", "add", "default", "via", publicV4)
	m.IP("-n", m.Name, "-6", "route", "add", "default", "via", publicV6)
	return w
}

// in runs do in a network namespace.
func in(t *testing.T, ns string, do func() error) {
	t.Helper()
	f, err := os.Open("/run/netns/" + ns)
	if err == nil {
		defer f.Close()
		err = network.Inside(f, do)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// echoes has a host answer on a port of all its addresses, TCP and UDP, with its name
// and the address that the question came from.
func echoes(t *testing.T, ns string, port int) {
	t.Helper()
	in(t, ns, func() error {
		l, err := net.Listen("tcp", fmt.Sprint(":", port))
		if err != nil {
			return err
		}
		t.Cleanup(func() { l.Close() })
		p, err := net.ListenPacket("udp", fmt.Sprint(":", port))
		if err != nil {
			return err
		}
		t.Cleanup(func() { p.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					_, _ = bufio.NewReader(c).ReadString('\n')
					fmt.Fprintf(c, "%s %s", ns, c.RemoteAddr())
				}()
			}
		}()
		go func() {
			buffer := make([]byte, 100)
			for {
				_, from, err := p.ReadFrom(buffer)
				if err != nil {
					return
				}
				_, _ = p.WriteTo([]byte(ns+" "+from.String()), from)
			}
		}()
		return nil
	})
}

// resolves has a host resolve every name to an address, by UDP and TCP.
func resolves(t *testing.T, ns, at, to string) {
	t.Helper()
	answer := func(question []byte) []byte {
		var p dnsmessage.Parser
		head, err := p.Start(question)
		if err != nil {
			return nil
		}
		asked, err := p.AllQuestions()
		if err != nil || len(asked) != 1 {
			return nil
		}
		b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: head.ID, Response: true, RecursionAvailable: true})
		_ = b.StartQuestions()
		_ = b.Question(asked[0])
		_ = b.StartAnswers()
		address := netip.MustParseAddr(to)
		h := dnsmessage.ResourceHeader{Name: asked[0].Name, Class: dnsmessage.ClassINET, TTL: 1}
		if asked[0].Type == dnsmessage.TypeA && address.Is4() {
			_ = b.AResource(h, dnsmessage.AResource{A: address.As4()})
		}
		if asked[0].Type == dnsmessage.TypeAAAA && address.Is6() {
			_ = b.AAAAResource(h, dnsmessage.AAAAResource{AAAA: address.As16()})
		}
		message, _ := b.Finish()
		return message
	}
	in(t, ns, func() error {
		address := net.JoinHostPort(at, "53")
		p, err := net.ListenPacket("udp", address)
		if err != nil {
			return err
		}
		t.Cleanup(func() { p.Close() })
		l, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			buffer := make([]byte, 4096)
			for {
				n, from, err := p.ReadFrom(buffer)
				if err != nil {
					return
				}
				_, _ = p.WriteTo(answer(buffer[:n]), from)
			}
		}()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					var length [2]byte
					if _, err := io.ReadFull(c, length[:]); err != nil {
						return
					}
					question := make([]byte, binary.BigEndian.Uint16(length[:]))
					if _, err := io.ReadFull(c, question); err == nil {
						message := answer(question)
						binary.BigEndian.PutUint16(length[:], uint16(len(message)))
						_, _ = c.Write(append(length[:], message...))
					}
				}()
			}
		}()
		return nil
	})
}

// server is a server on the machine, whose resolver is at an address.
func (w *world) server(resolver string, asRoot bool) *harness.Server {
	w.t.Helper()
	s := harness.NewServer(w.t, "", "")
	s.Netns, s.Host, s.Port = w.machine.Name, w.machine.Inside, 8181
	file := filepath.Join(s.Dir, "resolv.conf")
	if err := os.WriteFile(file, []byte("nameserver "+resolver+"\nsearch corp.test\n"), 0o644); err != nil {
		w.t.Fatal(err)
	}
	// The device of pasta is there for everyone, as distributions have it.
	s.Wrap = []string{"unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc/resolv.conf && mount -t tmpfs none /dev/net &&
		mknod /dev/net/tun c 10 200 && chmod 666 /dev/net/tun && exec "$@"`, file}
	if !asRoot {
		const nobody = "65534"
		if out, err := exec.Command("chown", "-R", nobody, s.Dir).CombinedOutput(); err != nil {
			w.t.Fatalf("%v: %s", err, out)
		}
		s.As = []string{"setpriv", "--reuid", nobody, "--regid", nobody, "--clear-groups"}
	}
	return s
}

// asBoth runs a test with a server that is root and with one that is not.
func asBoth(t *testing.T, test func(t *testing.T, asRoot bool)) {
	t.Run("as root", func(t *testing.T) { test(t, true) })
	t.Run("as another user", func(t *testing.T) { test(t, false) })
}

// An attempt is one of a function, and what has to come of it: a part of the answer, or
// "" for none.
type attempt struct {
	kind, host string
	port       int
	want       string
}

// results are what comes of attempts that the function at a path makes.
func results(s *harness.Server, path string, all []attempt) (results []string) {
	s.T.Helper()
	ask := make([][]any, len(all))
	for i, a := range all {
		ask[i] = []any{a.kind, a.host, a.port, a.want != ""}
	}
	body, err := json.Marshal(ask)
	if err != nil {
		s.T.Fatal(err)
	}
	r := s.Request("POST", path, strings.NewReader(string(body)))
	r.Header.Set("Content-Type", "application/json")
	got := s.Do(r)
	if err := json.Unmarshal([]byte(got.Body), &results); err != nil || len(results) != len(all) {
		s.T.Fatalf("%d %s: %v", got.Status, got.Body, err)
	}
	return results
}

// attempts has the function at a path make attempts, and checks what comes of them.
func attempts(s *harness.Server, path string, all ...attempt) {
	s.T.Helper()
	for i, result := range results(s, path, all) {
		a := all[i]
		failed := strings.Contains(result, ": ")
		if a.want == "" && !failed || a.want != "" && (failed || !strings.Contains(result, a.want)) {
			s.T.Errorf("%s %s %d: got %q, want %q", a.kind, a.host, a.port, result, a.want)
		}
	}
}

// both is an attempt by TCP and one by UDP.
func both(host string, port int, want string) []attempt {
	return []attempt{{"tcp", host, port, want}, {"udp", host, port, want}}
}

// What a function with a network of its own reaches, and what it does not.
func TestPrivateNetworkLeadsPastTheMachineOnly(t *testing.T) {
	harness.Parallel(t)
	asBoth(t, leadsPastTheMachineOnly)
}

func leadsPastTheMachineOnly(t *testing.T, asRoot bool) {
	w := newWorld(t)
	echoes(t, w.beyond, 7007)
	echoes(t, w.machine.Name, 7007)
	resolves(t, w.machine.Name, "127.0.0.53", publicV4)
	s := w.server("127.0.0.53", asRoot)
	dir := s.Code("f", map[string]string{"app.py": prober})
	s.Configure(harness.PythonFunction("f", dir, "network private\ntimeout 60s"), "function f")
	s.Start()

	var all []attempt
	// By the machine's address: what is beyond knows no way to another one.
	all = append(all, both(publicV4, 7007, w.beyond+" "+machineV4)...)
	all = append(all, both(publicV6, 7007, w.beyond+" ["+machineV6)...)
	all = append(all, both("somebody.example", 7007, w.beyond)...)
	all = append(all, both("printer", 7007, w.beyond)...) // by the domains that are searched
	for _, host := range append([]string{
		"127.0.0.1", "127.0.0.53", "::1", "localhost", "0.0.0.0", "::ffff:127.0.0.1",
		machineV4, machineV6, bridgeV4, w.machine.Inside, "::ffff:" + machineV4,
		network.HostName, "198.19.0.1", "255.255.255.255", "203.0.113.255", "224.0.0.1",
	}, metadata()...) {
		all = append(all, both(host, 7007, "")...)
	}
	all = append(all, attempt{"tcp", machineV4, s.Port, ""}, attempt{"tcp", w.machine.Inside, s.Port, ""}, attempt{"udp", "127.0.0.53", 53, ""})
	attempts(s, "/", all...)
}

// What this machine opens by name, and to whom; and rules of a function's own.
func TestFunctionReachesWhatItsRulesOpen(t *testing.T) {
	harness.Parallel(t)
	asBoth(t, reachesWhatItsRulesOpen)
}

func reachesWhatItsRulesOpen(t *testing.T, asRoot bool) {
	w := newWorld(t)
	for _, port := range []int{7007, 7008, 7009} {
		echoes(t, w.beyond, port)
		echoes(t, w.machine.Name, port)
	}
	resolves(t, w.machine.Name, "127.0.0.53", publicV4)
	s := w.server("127.0.0.53", asRoot)
	dir := s.Code("f", map[string]string{"app.py": prober})
	functions, site := "network private {\n deny "+lanV4+"\n}\nreach 127.0.0.1:7007\n", ""
	for name, rules := range map[string]string{
		"default": "",
		"more":    "reach " + bridgeV4 + ":7008",
		"shut":    "network {\n deny 0.0.0.0/0 ::/0\n}",
		"only":    "network {\n allow " + publicV4 + ":7008 [" + publicV6 + "]:7009\n deny " + lanV4 + "/32\n}",
		"host":    "network host",
		"none":    "network none",
	} {
		functions += harness.PythonFunction(name, dir, rules+"\ntimeout 60s")
		site += "function /" + name + " " + name + "\n"
	}
	s.Configure(functions, site)
	s.Start()
	const refused = ""
	attempts(s, "/default", attempt{"tcp", publicV4, 7007, w.beyond}, attempt{"tcp", lanV4, 7007, refused}, attempt{"udp", lanV4, 7007, refused},
		attempt{"tcp", "127.0.0.1", 7007, w.machine.Name + " 127.0.0.1"}, attempt{"tcp", network.HostName, 7007, w.machine.Name + " 127.0.0.1"},
		attempt{"udp", "127.0.0.1", 7007, refused}, attempt{"tcp", "127.0.0.1", 7008, refused}, attempt{"tcp", network.HostName, 7008, refused},
		attempt{"tcp", bridgeV4, 7007, refused},
		attempt{"tcp", translatedPublicV4, 7007, w.beyond}, attempt{"tcp", translatedLanV4, 7007, refused}, attempt{"udp", translatedLanV4, 7007, refused})
	attempts(s, "/more", attempt{"tcp", "127.0.0.1", 7007, w.machine.Name}, attempt{"tcp", network.HostName, 7008, w.machine.Name},
		attempt{"tcp", "127.0.0.1", 7008, refused}, attempt{"tcp", bridgeV4, 7008, refused}, attempt{"tcp", lanV4, 7007, refused})
	attempts(s, "/shut", attempt{"tcp", publicV4, 7007, refused}, attempt{"udp", publicV6, 7007, refused}, attempt{"tcp", lanV4, 7007, refused},
		attempt{"tcp", "somebody.example", 7007, refused}, attempt{"tcp", "127.0.0.1", 7007, w.machine.Name})
	attempts(s, "/only", attempt{"tcp", publicV4, 7008, w.beyond}, attempt{"udp", publicV4, 7008, w.beyond}, attempt{"tcp", publicV6, 7009, w.beyond},
		attempt{"tcp", publicV4, 7009, refused}, attempt{"tcp", publicV6, 7008, refused}, attempt{"tcp", lanV4, 7007, refused}, attempt{"tcp", lanV4, 7008, refused},
		attempt{"tcp", "somebody.example", 7008, w.beyond})
	attempts(s, "/host", attempt{"tcp", "127.0.0.1", 7008, w.machine.Name}, attempt{"tcp", publicV4, 7009, w.beyond})
	attempts(s, "/none", attempt{"tcp", "127.0.0.1", 7007, refused}, attempt{"tcp", publicV4, 7007, refused})
}

// Each removes what killed gateways have left, and nothing of one that is just starting.
func TestGatewaysThatStartAtOnceKeepTheirRules(t *testing.T) {
	harness.Parallel(t)
	w := newWorld(t)
	var servers []*harness.Server
	for n := range 10 {
		s := w.server("127.0.0.53", true)
		s.Port += n
		dir := s.Code("f", map[string]string{"app.py": prober})
		s.Configure(harness.PythonFunction("f", dir, "network private\ntimeout 60s"), "function f")
		servers = append(servers, s)
	}
	for _, s := range servers {
		s.Spawn()
	}
	for _, s := range servers {
		s.AwaitServing()
	}
	var all sync.WaitGroup
	for _, s := range servers { // the first function takes the network
		r := s.Request("POST", "/", strings.NewReader("[]"))
		r.Header.Set("Content-Type", "application/json")
		all.Go(func() {
			if got, err := harness.Try(r); err != nil || got.Status != 200 {
				t.Errorf("a function answers %d %s, %v", got.Status, got.Body, err)
			}
		})
	}
	all.Wait()
	count := func(command, what string) int {
		out, err := exec.Command("nsenter", "--net=/run/netns/"+w.machine.Name, "sh", "-c", command).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return strings.Count(string(out), what)
	}
	if tables, links := count("nft list tables", "table inet hearth-"), count("ip -o link", ": hearth-"); tables != len(servers) || links != len(servers) {
		t.Errorf("%d servers have %d interfaces and rules for %d", len(servers), links, tables)
	}
}

// A container whose port the machine publishes by translating addresses, as Docker has
// it, and a firewall that drops what it does not know, as Docker's and ufw's do.
func TestRulesOfOthersOnTheMachineHold(t *testing.T) {
	harness.Parallel(t)
	w := newWorld(t)
	m := w.machine
	echoes(t, w.beyond, 7007)
	container := m.Name + "k"
	m.IP("netns", "add", container)
	t.Cleanup(func() { m.IP("netns", "del", container) })
	m.IP("-n", m.Name, "link", "add", "docker0", "type", "bridge")
	m.IP("-n", m.Name, "link", "add", "dockerport", "master", "docker0", "type", "veth", "peer", "name", "eth0", "netns", container)
	for _, args := range []string{
		m.Name + " addr add 172.30.0.1/24 dev docker0", m.Name + " link set docker0 up", m.Name + " link set dockerport up", container + " addr add 172.30.0.2/24 dev eth0",
		container + " link set eth0 up", container + " link set lo up", container + " route add default via 172.30.0.1",
	} {
		m.IP(append([]string{"-n"}, strings.Fields(args)...)...)
	}
	echoes(t, container, 7007)
	rules := func(text string) {
		t.Helper()
		cmd := exec.Command("nsenter", "--net=/run/netns/"+m.Name, "nft", "-f", "-")
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	rules(`table ip nat {
		chain PREROUTING {
			type nat hook prerouting priority dstnat;
			fib daddr type local tcp dport 7010 dnat to 172.30.0.2:7007
			fib daddr type local udp dport 7010 dnat to 172.30.0.2:7007
		}
	}
	table ip filter {
		chain ALLOWED {
		}
		chain FORWARD {
			type filter hook forward priority filter; policy drop;
			jump ALLOWED
			ct state established,related accept
			oifname "docker0" ct status dnat accept
			iifname "docker0" accept
		}
	}
`)
	s := w.server("127.0.0.53", true)
	dir := s.Code("f", map[string]string{"app.py": prober})
	s.Configure(harness.PythonFunction("f", dir, "timeout 60s"), "function f")
	s.Start()
	if out := s.Output(); !strings.Contains(out, "chain FORWARD of table filter") || !strings.Contains(out, "DOCKER-USER") {
		t.Errorf("nothing is said of who drops what functions send:\n%s", out)
	}
	attempts(s, "/", attempt{"tcp", publicV4, 7007, ""})
	rules("add rule ip filter ALLOWED iifname \"hearth-*\" accept\n")
	attempts(s, "/", append(both(publicV4, 7007, w.beyond), append(both(machineV4, 7010, ""), append(both(bridgeV4, 7010, ""), both("172.30.0.2", 7007, "")...)...)...)...)
	// A server that is not root has functions that come from the machine itself, so none of
	// these rules is about them. A container that comes later is out of their reach too.
	other := w.server("127.0.0.53", false)
	other.Port++
	other.Configure(harness.PythonFunction("f", other.Code("f", map[string]string{"app.py": prober}), "timeout 60s"), "function f")
	other.Start()
	attempts(other, "/", append(both(publicV4, 7007, w.beyond), append(both(machineV4, 7010, ""), append(both("172.30.0.1", 7010, ""), both("172.30.0.2", 7007, "")...)...)...)...)
	m.IP("-n", m.Name, "addr", "add", "172.31.0.1/24", "dev", "docker0")
	m.IP("-n", container, "addr", "add", "172.31.0.2/24", "dev", "eth0")
	for _, server := range []*harness.Server{s, other} {
		harness.Eventually(t, "the new network is refused", func() bool {
			return strings.Contains(results(server, "/", []attempt{{"tcp", "172.31.0.2", 7007, ""}})[0], ": ")
		})
	}
	// What the machine publishes is still published to others.
	in(t, w.beyond, func() error {
		c, err := net.DialTimeout("tcp", machineV4+":7010", 5*time.Second)
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := c.Write([]byte("hello\n")); err != nil {
			return err
		}
		if answer, err := io.ReadAll(c); err != nil || !strings.Contains(string(answer), container) {
			t.Errorf("got %q, %v", answer, err)
		}
		return nil
	})
}

// Forwarding is turned on for functions: a neighbour on the LAN gets nothing forwarded.
func TestMachineIsNoRouterForItsNeighbours(t *testing.T) {
	harness.Parallel(t)
	w := newWorld(t)
	m := w.machine
	// What is behind the way to the test is another network of the machine's.
	stage := harness.NewStage(t, m.Outside)
	s := w.server("127.0.0.53", true)
	dir := s.Code("f", map[string]string{"app.py": prober})
	s.Configure(harness.PythonFunction("f", dir, "timeout 60s"), "function f")
	s.Start()
	attempts(s, "/")
	m.IP("-n", w.beyond, "route", "add", m.Outside+"/32", "via", machineV4)
	m.IP("route", "add", publicV4+"/32", "via", m.Inside)
	t.Cleanup(func() { m.IP("route", "del", publicV4+"/32") })
	in(t, w.beyond, func() error {
		c, err := net.DialTimeout("tcp", stage.Listener.Addr().String(), time.Second)
		if err == nil {
			c.Close()
			t.Error("a neighbour got through the machine")
		}
		return nil
	})
}

// A function that opens connections without end has its share of the machine's, and
// others go on.
func TestFunctionThatFloodsLeavesRoomForOthers(t *testing.T) {
	harness.Quiet(t)
	asBoth(t, leavesRoomForOthers)
}

func leavesRoomForOthers(t *testing.T, asRoot bool) {
	w := newWorld(t)
	echoes(t, w.beyond, 7007)
	s := w.server("127.0.0.53", asRoot)
	dir := s.Code("f", map[string]string{"app.py": prober})
	flood := s.Code("flood", map[string]string{"app.py": fmt.Sprintf(`
import socket
def handler(event, context):
    sent = 0
    for n in range(4000):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            try:
                s.sendto(b"x", ("%s", 1 + n))
                sent += 1
            except OSError:
                pass
    return {"statusCode": 200, "body": str(sent)}
`, publicV4)})
	s.Configure(harness.PythonFunction("f", dir, "timeout 60s")+harness.PythonFunction("flood", flood, "timeout 60s"), "function /flood flood\nfunction f")
	s.Start()
	attempts(s, "/", both(publicV4, 7007, w.beyond)...)
	s.Get("/flood").Want(t, 200, "")
	count := connectionsOf(t, s, asRoot)
	if count < 900 || count > 1200 {
		t.Errorf("%d connections are known", count)
	}
	t.Logf("%d connections are known", count)
	attempts(s, "/", both(publicV4, 7007, w.beyond)...)
}

// connectionsOf is how many connections the machine knows, or pasta has sockets for.
func connectionsOf(t *testing.T, s *harness.Server, asRoot bool) (count int) {
	t.Helper()
	if !asRoot {
		for _, pid := range harness.Descendants(s.Cmd.Process.Pid) {
			if name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); strings.HasPrefix(string(name), "pasta\x00") {
				open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
				if err != nil {
					t.Fatal(err)
				}
				count += len(open)
			}
		}
		return count
	}
	out, err := exec.Command("nsenter", "--net=/run/netns/"+s.Netns, "cat", "/proc/sys/net/netfilter/nf_conntrack_count").Output()
	if err == nil {
		count, err = strconv.Atoi(strings.TrimSpace(string(out)))
	}
	if err != nil {
		t.Fatal(err)
	}
	return count
}

// New calls are held to new rules, and none fails for that.
func TestReloadChangesWhatAFunctionReaches(t *testing.T) {
	harness.Parallel(t)
	asBoth(t, changesWhatAFunctionReaches)
}

func changesWhatAFunctionReaches(t *testing.T, asRoot bool) {
	w := newWorld(t)
	echoes(t, w.beyond, 7007)
	s := w.server("127.0.0.53", asRoot)
	dir := s.Code("f", map[string]string{"app.py": prober})
	s.Configure(harness.PythonFunction("f", dir, "timeout 60s"), "function f")
	s.Start()
	attempts(s, "/", both(publicV4, 7007, w.beyond)...)
	s.Configure(harness.PythonFunction("f", dir, "timeout 60s\nnetwork {\n deny "+publicV4+"\n}"), "function f")
	s.Reload()
	attempts(s, "/", append(both(publicV4, 7007, ""), both(publicV6, 7007, w.beyond)...)...)
	s.Configure("network {\n deny "+publicV6+"\n}\n"+harness.PythonFunction("f", dir, "timeout 60s"), "function f")
	s.Reload()
	attempts(s, "/", append(both(publicV4, 7007, w.beyond), both(publicV6, 7007, "")...)...)
}

// Where there is no way out, functions have no network: never the machine's.
func TestFunctionsHaveNoNetworkWhereThereIsNoneOfTheirOwn(t *testing.T) {
	harness.Parallel(t)
	w := newWorld(t)
	for _, ns := range []string{w.beyond, w.machine.Name} {
		echoes(t, ns, 7007)
	}
	s := w.server("127.0.0.53", false)
	s.Wrap[4] = `mount --bind "$0" /etc/resolv.conf && mount -t tmpfs none /dev/net && exec "$@"` // no device for pasta
	dir := s.Code("f", map[string]string{"app.py": prober})
	s.Configure(harness.PythonFunction("f", dir, "timeout 60s"), "function f")
	s.Start()
	if out := s.Output(); !strings.Contains(out, "functions have no network, unless they say which") || !strings.Contains(out, "tun") {
		t.Errorf("it is not said, or not why:\n%s", harness.Tail(out, 20))
	}
	attempts(s, "/", append(both(publicV4, 7007, ""), append(both("127.0.0.1", 7007, ""), both(machineV4, 7007, "")...)...)...)
	s.Stop()
	s.Configure(harness.PythonFunction("f", dir, "network private"), "function f")
	s.StartFails("network private cannot be had", "tun", "network none or", "network host")
}
