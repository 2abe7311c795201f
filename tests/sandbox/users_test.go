package sandbox

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// What the machine lends to a server that is not root.
const (
	lentUID   = 1_800_000_000
	lentUsers = 5000
)

// lend has the machine lend users to a server of w.server that is not root.
func lend(s *harness.Server) {
	s.T.Helper()
	file := filepath.Join(s.Dir, "lent")
	if err := os.WriteFile(file, []byte(fmt.Sprintf("65534:%d:%d\n", lentUID, lentUsers)), 0o644); err != nil {
		s.T.Fatal(err)
	}
	s.Wrap = append(s.Wrap, "sh", "-c", `mount --bind "$0" /etc/subuid && mount --bind "$0" /etc/subgid && exec "$@"`, file)
}

// userOf is the user that a process has on the machine.
func userOf(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), "\nUid:")
	var uid int
	if _, err := fmt.Sscan(after, &uid); err != nil {
		t.Fatal(err)
	}
	return uid
}

// ofFunctions are the processes below a server that are of users lent to it.
func ofFunctions(t *testing.T, s *harness.Server) map[int]int {
	t.Helper()
	users := map[int]int{}
	for _, pid := range harness.Descendants(s.Cmd.Process.Pid) {
		if !harness.Alive(pid) {
			continue
		}
		if uid := userOf(t, pid); uid >= lentUID && uid < lentUID+lentUsers {
			users[pid] = uid
		}
	}
	return users
}

// A server that is not root has a user for each environment where the machine lends some.
// Code that gets out of all namespaces is that user then, and meets the walls of users.
func TestEnvironmentsOfAnotherUserThanRootHaveUsersOfTheirOwn(t *testing.T) {
	harness.Parallel(t)
	w := newWorld(t)
	s := w.server("127.0.0.53", false)
	lend(s)
	s.Env = []string{"GATEWAY_SECRET=hunter2"}
	const who = `
import os, subprocess
def handler(event, context):
    with open("/tmp/file", "w") as f: f.write("x")
    print("logged")
    return {"statusCode": 200, "body": "%d %d %s" % (os.getuid(), os.stat("/tmp/file").st_uid, os.getgroups())}
`
	dir := s.Code("f", map[string]string{"app.py": who})
	s.Configure(harness.PythonFunction("one", dir, "")+harness.PythonFunction("two", dir, "network host")+
		harness.NodeFunction("node", s.Code("node", map[string]string{"index.js": `exports.handler = async () => ({ statusCode: 200, body: String(process.getuid()) })`}), "")+
		"function custom {\n runtime provided.al2023\n handler any.thing\n code "+s.GoFunction()+"\n}\n",
		"function /one one\nfunction /two two\nfunction /node node\nfunction custom")
	s.Start()
	s.Get("/one").Want(t, 200, "993 993 []")
	s.Get("/two").Want(t, 200, "993 993 []")
	s.Get("/node").Want(t, 200, "993")
	s.Get("/").Want(t, 200, "hello from Go")
	s.WantLog("one", "logged")

	users := ofFunctions(t, s)
	seen := map[int]bool{}
	for _, uid := range users {
		seen[uid] = true
	}
	if len(seen) < 4 {
		t.Fatalf("4 functions are %d users of the machine: %v", len(seen), users)
	}
	server, holder := s.Cmd.Process.Pid, holderOf(s)
	for uid := range seen {
		attempts := ""
		for _, pid := range slices.Concat([]int{server, holder}, slices.Collect(maps.Keys(users))) {
			if users[pid] != uid {
				attempts += strings.ReplaceAll(`if kill -0 PID; then echo signals PID; fi; cat /proc/PID/environ /proc/PID/maps; ls /proc/PID/fd /proc/PID/root/
`, "PID", fmt.Sprint(pid))
			}
		}
		id := fmt.Sprint(uid)
		out, err := exec.Command("setpriv", "--reuid", id, "--regid", id, "--clear-groups", "sh", "-c", "exec 2>/dev/null\n"+attempts+"true").Output()
		if err != nil || len(out) > 0 {
			t.Errorf("user %d got %v, %.200s", uid, err, out)
		}
	}
}
