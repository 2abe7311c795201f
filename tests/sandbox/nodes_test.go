package sandbox

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
)

const redisPassword = "hunter2hunter2"

// redis starts a redis-server beyond, which asks for a password, and waits until it
// answers at a port.
func (w *world) redis(port int, args ...string) {
	w.t.Helper()
	dir := harness.TempDir(w.t)
	cmd := exec.Command("nsenter", append([]string{"--net=/run/netns/" + w.beyond, "redis-server"}, args...)...)
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	harness.Eventually(w.t, fmt.Sprint("redis answers at ", port), func() bool { return w.answers(port) })
}

// answers reports whether somebody beyond listens, as the machine sees it.
func (w *world) answers(port int) (yes bool) {
	in(w.t, w.machine.Name, func() error {
		c, err := net.DialTimeout("tcp", fmt.Sprintf("%s:%d", publicV4, port), time.Second)
		if yes = err == nil; yes {
			c.Close()
		}
		return nil
	})
	return yes
}

func (w *world) redisCLI(port int, args ...string) string {
	w.t.Helper()
	cmd := exec.Command("nsenter", append([]string{"--net=/run/netns/" + w.beyond, "redis-cli", "-h", publicV4, "-p", fmt.Sprint(port)}, args...)...)
	cmd.Env = append(os.Environ(), "REDISCLI_AUTH="+redisPassword)
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func redisArgs(port int, more ...string) []string {
	return append([]string{"--port", fmt.Sprint(port), "--bind", publicV4, "--requirepass", redisPassword, "--masterauth", redisPassword, "--save", ""}, more...)
}

// openToAll is a function that may reach everything that functions may.
func openToAll(s *harness.Server) string {
	return harness.PythonFunction("f", s.Code("f", map[string]string{"app.py": prober}), "timeout 60s\nnetwork {\n allow 0.0.0.0/0\n}")
}

func connects(want string, ports ...int) (all []attempt) {
	for _, port := range ports {
		all = append(all, attempt{"connect", publicV4, port, want})
	}
	return all
}

// Nodes speak to each other by a Redis, wherever that is: functions do not reach it, be it
// one server, what Sentinels watch over, or a Redis Cluster with its bus, which knows no
// password.
func TestFunctionsDoNotReachTheRedisOfTheirServer(t *testing.T) {
	harness.Parallel(t)
	asBoth(t, doNotReachRedis)
}

func doNotReachRedis(t *testing.T, asRoot bool) {
	w := newWorld(t)
	echoes(t, w.beyond, 7007)
	const master, replica, sentinel, cluster = 6379, 6380, 26379, 6390
	const bus = cluster + 10000
	w.redis(master, redisArgs(master)...)
	w.redis(replica, redisArgs(replica, "--replicaof", publicV4, fmt.Sprint(master))...)
	config := filepath.Join(harness.TempDir(t), "sentinel.conf")
	text := fmt.Sprintf("port %d\nbind %s\nrequirepass %[3]s\nsentinel monitor hearth %[2]s %[4]d 1\nsentinel auth-pass hearth %[3]s\n", sentinel, publicV4, redisPassword, master)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.redis(sentinel, config, "--sentinel")
	harness.Eventually(t, "the sentinel knows the replica", func() bool {
		return strings.Contains(w.redisCLI(sentinel, "sentinel", "master", "hearth"), "num-slaves\n1\n")
	})
	w.redis(cluster, redisArgs(cluster, "--cluster-enabled", "yes", "--cluster-announce-ip", publicV4)...)
	w.redisCLI(cluster, "cluster", "addslotsrange", "0", "16383")
	harness.Eventually(t, "the cluster has all slots", func() bool { return strings.Contains(w.redisCLI(cluster, "cluster", "info"), "cluster_state:ok") })

	all := []int{master, replica, sentinel, cluster, bus}
	for name, test := range map[string]struct {
		url     string
		refused []int
	}{
		"none":     {"", nil}, // so that the others show something
		"one":      {fmt.Sprintf("redis://:%s@%s:%d", redisPassword, publicV4, master), []int{master}},
		"sentinel": {fmt.Sprintf("redis://:%s@%s:%d?master=hearth", redisPassword, publicV4, sentinel), []int{master, replica, sentinel}},
		"cluster":  {fmt.Sprintf("redis://:%s@%s:%d?cluster=true", redisPassword, publicV4, cluster), []int{cluster, bus}},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{t: t, machine: w.machine, beyond: w.beyond}
			s := w.server("127.0.0.53", asRoot)
			option := ""
			if test.url != "" {
				option = harness.RedisOption(test.url)
			}
			s.Configure(option+openToAll(s), "function f")
			s.Start()
			open := map[int]bool{}
			for _, port := range all {
				open[port] = true
			}
			for _, port := range test.refused {
				open[port] = false
			}
			tries := []attempt{{"tcp", publicV4, 7007, w.beyond}}
			for _, port := range all {
				want := ""
				if open[port] {
					want = "connected"
				}
				tries = append(tries, connects(want, port)...)
			}
			attempts(s, "/", tries...)
		})
	}
}

// A node on another machine, and a second one on this.
func TestFunctionsDoNotReachTheOtherNodes(t *testing.T) {
	harness.Slow(t, "it starts four servers")
	harness.Parallel(t)
	asBoth(t, doNotReachOtherNodes)
}

func doNotReachOtherNodes(t *testing.T, asRoot bool) {
	w := newWorld(t)
	echoes(t, w.beyond, 7007)
	w.redis(6379, redisArgs(6379)...)
	redis := harness.RedisOption(fmt.Sprintf("redis://:%s@%s:6379", redisPassword, publicV4))
	node := func(name, ns, address string, port int, functions, site string) *harness.Server {
		s := w.server("127.0.0.53", asRoot)
		s.Netns, s.Port, s.Host = ns, port, address
		s.Configure(redis+fmt.Sprintf("node %s\npeer_address %s:%d\n%s", name, address, port+1, functions), site+"lambda_api")
		s.Start()
		return s
	}
	alone := w.server("127.0.0.53", asRoot)
	open := openToAll(alone)
	far := node("far", w.beyond, publicV4, 9000, "network none\n", "")
	beside := node("beside", w.machine.Name, machineV4, 9010, "", "")
	s := node("own", w.machine.Name, w.machine.Inside, 9020, open, "function /f f\n")
	harness.Eventually(t, "the nodes know each other", func() bool { return s.Metric("hearth_nodes") == 3 })
	alone.Port = 9030
	alone.Configure(open, "function /f f")
	alone.Start()
	attempts(alone, "/f", connects("connected", far.Port, far.Port+1)...)

	harness.Eventually(t, "the other node's port is refused", func() bool {
		return strings.Contains(results(s, "/f", connects("", far.Port+1))[0], ": ")
	})
	attempts(s, "/f",
		attempt{"tcp", publicV4, 7007, w.beyond}, attempt{"connect", publicV4, far.Port + 1, ""},
		attempt{"connect", machineV4, beside.Port, ""}, attempt{"connect", machineV4, beside.Port + 1, ""},
		attempt{"connect", w.machine.Inside, s.Port, ""}, attempt{"connect", w.machine.Inside, s.Port + 1, ""},
		attempt{"connect", "127.0.0.1", beside.Port, ""}, attempt{"connect", "127.0.0.1", beside.Port + 1, ""},
		// As everybody's, and who is not known is refused there.
		attempt{"unsigned", publicV4, far.Port, "403"})
}
