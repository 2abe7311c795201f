package caddymodule

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/hearthfn/hearth/caddymodule/engine"
)

func TestAdminAddressIsFoundInThisVersionOfCaddy(t *testing.T) {
	t.Setenv("HEARTH_TEST_ADMIN", "localhost:2999")
	for name, test := range map[string]struct {
		admin  *caddy.AdminConfig
		listen string
		socket string
	}{
		"none configured": {nil, caddy.DefaultAdminListen, defaultAdminSocket()},
		"its own default": {&caddy.AdminConfig{}, caddy.DefaultAdminListen, defaultAdminSocket()},
		"own address":     {&caddy.AdminConfig{Listen: "localhost:2020"}, "localhost:2020", ""},
		"placeholder":     {&caddy.AdminConfig{Listen: "{env.HEARTH_TEST_ADMIN}"}, "localhost:2999", ""},
		"disabled":        {&caddy.AdminConfig{Disabled: true, Listen: "localhost:2020"}, "", ""},
		"unix socket":     {&caddy.AdminConfig{Listen: "unix//run/caddy.sock"}, "unix//run/caddy.sock", "/run/caddy.sock"},
		"with its mode":   {&caddy.AdminConfig{Listen: "unix//run/caddy.sock|0220"}, "unix//run/caddy.sock|0220", "/run/caddy.sock"},
		"of another kind": {&caddy.AdminConfig{Listen: "unix+h2c//run/caddy.sock"}, "unix+h2c//run/caddy.sock", "/run/caddy.sock"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: test.admin})
			if err != nil {
				t.Fatal(err)
			}
			listen, err := adminListen(ctx)
			if listen != test.listen || err != nil {
				t.Errorf("got %q, %v, want %q", listen, err, test.listen)
			}
			if socket := adminSocket(listen); socket != test.socket {
				t.Errorf("the socket is %q, want %q", socket, test.socket)
			}
		})
	}
}

func TestAdminAddressOfNoConfigurationIsAnError(t *testing.T) {
	if listen, err := adminListen(caddy.Context{}); err == nil || listen != "" {
		t.Errorf("got %q, %v", listen, err)
	}
}

func TestFunctionThatCouldReachTheAdminEndpointIsRefused(t *testing.T) {
	code := t.TempDir()
	for name, test := range map[string]struct {
		network string
		allowed bool
		admin   *caddy.AdminConfig
		refused bool
		hidden  string
	}{
		"on the host's network":         {network: "host", admin: &caddy.AdminConfig{Listen: "localhost:2019"}, refused: true},
		"allowed":                       {network: "host", admin: &caddy.AdminConfig{Listen: "localhost:2019"}, allowed: true},
		"without a network":             {network: "none", admin: &caddy.AdminConfig{Listen: "localhost:2019"}},
		"none configured":               {network: "host", hidden: defaultAdminSocket()},
		"no endpoint":                   {network: "host", admin: &caddy.AdminConfig{Disabled: true}},
		"a socket that it does not see": {network: "host", admin: &caddy.AdminConfig{Listen: "unix//run/caddy.sock"}, hidden: "/run/caddy.sock"},
		"every address of it":           {network: "host", admin: &caddy.AdminConfig{Listen: ":2019"}, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: test.admin})
			if err != nil {
				t.Fatal(err)
			}
			f := &Function{Runtime: "nodejs22.x", Handler: "index.handler", Code: code, Connectivity: Connectivity{Network: test.network}}
			resolved, err := f.resolve("pets", caddy.NewReplacer())
			if err != nil {
				t.Fatal(err)
			}
			a := &App{Sandbox: Sandbox{AllowAdminEndpoint: test.allowed}}
			s := &engine.Settings{Functions: []engine.Function{{Function: resolved}}}
			err = a.checkAdmin(ctx, s)
			if refused := err != nil && strings.HasPrefix(err.Error(), `function "pets" has the host's network and could reach Caddy's admin endpoint at `); refused != test.refused || !refused && err != nil {
				t.Errorf("got %v", err)
			}
			if test.hidden != strings.Join(s.Sandbox.Hide, " ") {
				t.Errorf("hidden: %q, want %q", s.Sandbox.Hide, test.hidden)
			}
		})
	}
}
