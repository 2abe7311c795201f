package examples

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/hearthfn/hearth/tests/harness"
)

// The example as a newcomer runs it, but for the port and the folder. The commands of its README
// answer as it says.
func TestExampleShopIsAsItsREADMESays(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	folder := filepath.Join(s.Dir, "shop")
	if err := os.CopyFS(folder, os.DirFS("../../examples/shop")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../examples/shop/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	port := fmt.Sprint(s.Port)
	config := strings.NewReplacer("8091", port, "examples/shop", folder, "http://localhost:8091 {", "http://localhost:"+port+", http://127.0.0.1:"+port+" {",
		"{\n\thearth {", fmt.Sprintf("{\n\tadmin unix/%[1]s/admin.sock\n\tauto_https off\n\thearth {\n\t\tdata_dir %[1]s/data", s.Dir)).Replace(string(text))
	if err := os.WriteFile(s.Config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Env = append(s.Env, "SHOP_SECRET=only-for-this-test-0")
	s.Start()
	s.Get("/").Want(t, 200, "<title>Shop</title>")

	readme, err := os.ReadFile("../../examples/shop/README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(blocks) != 2 {
		t.Fatalf("%d blocks", len(blocks))
	}
	var script, want strings.Builder
	script.WriteString("set -e\n")
	for line := range strings.Lines(strings.ReplaceAll(blocks[1][1], "8091", port)) {
		if command, found := strings.CutPrefix(line, "$ "); found {
			script.WriteString(command)
			if strings.HasPrefix(command, "curl") {
				script.WriteString("echo\n")
			}
			continue
		}
		want.WriteString(line)
	}
	script.WriteString("echo $ADA >&2\n")
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script.String())
	var token strings.Builder
	cmd.Stderr = &token
	out, err := cmd.Output()
	if err != nil || string(out) != want.String() {
		t.Fatalf("%v\n%s\nwant\n%s\n%s\n%s", err, out, want.String(), token.String(), harness.Tail(s.Output(), 20))
	}

	address := "ws://localhost:" + port + "/"
	if _, refused, err := websocket.Dial(t.Context(), address, nil); err == nil || refused == nil || refused.StatusCode != 401 {
		t.Errorf("a socket without a token: %v %v", refused, err)
	}
	socket, _, err := websocket.Dial(t.Context(), address+"?token="+strings.TrimSpace(token.String()), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.CloseNow()
	for action, want := range map[string]string{
		"orders": `{"orders":[{"id":"1","customer":"ada","item":"tea","count":2}]}`, "stock": `{"stock":{"tea":10,"cup":3}}`,
	} {
		if err := socket.Write(t.Context(), websocket.MessageText, fmt.Appendf(nil, `{"action":%q}`, action)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := socket.Read(t.Context()); err != nil || string(got) != want {
			t.Errorf("%s: %v %s, want %s", action, err, got, want)
		}
	}
}
