package gateway

import (
	"fmt"
	"os"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// The directive has no order option here, as in a user's Caddyfile.
func TestFunctionAnswersWhereverADirectiveMayStand(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	dir := s.Code("f", map[string]string{"index.js": `exports.handler = async (event) => 'f got ' + event.rawPath;`})
	text := fmt.Sprintf(`{
	admin unix/%[1]s/admin.sock
	auto_https off
	hearth {
		data_dir %[1]s/data
		%[2]s
	}
}
&(f) {
	respond /named/route/own "the route's own"
	function f
}
http://%[4]s:%[3]d {
	file_server
	reverse_proxy 127.0.0.1:1
	function f
	respond /health "well"
	handle /handle/* {
		function f:$LATEST
	}
	handle_path /handle_path/* {
		function f
	}
	route /route/* {
		respond /route/before "before"
		function f
		respond "never"
	}
	invoke /named/* f
}
`, s.Dir, harness.NodeFunction("f", dir, ""), s.Port, s.Host)
	if err := os.WriteFile(s.Config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Start()
	for path, want := range map[string]string{
		"/":                  "f got /",
		"/health":            "well",
		"/handle/a":          "f got /handle/a",
		"/handle_path/a":     "f got /a",
		"/route/before":      "before",
		"/route/a":           "f got /route/a",
		"/named/route/own":   "the route's own",
		"/named/elsewhere/a": "f got /named/elsewhere/a",
	} {
		if got := s.Get(path); got.Body != want {
			t.Errorf("%s: %d %q, want %q", path, got.Status, got.Body, want)
		}
	}
}
