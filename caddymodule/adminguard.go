package caddymodule

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/hearthfn/hearth/caddymodule/engine"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/sandbox"
)

// adminListen is the address of the admin endpoint of the configuration that is
// being loaded; "" when it is off.
//
// Caddy does not show a module other parts of the configuration, and the admin endpoint is
// not an app. So this reads it from the context by reflection. A test checks that this works
// with the Caddy version in go.mod.
func adminListen(ctx caddy.Context) (string, error) {
	config := reflect.ValueOf(ctx).FieldByName("cfg")
	if config.Kind() != reflect.Pointer || config.IsNil() {
		return "", fmt.Errorf("find the admin endpoint: this version of Caddy keeps its configuration elsewhere")
	}
	listen := caddy.DefaultAdminListen
	if admin := config.Elem().FieldByName("Admin"); !admin.IsNil() {
		if admin.Elem().FieldByName("Disabled").Bool() {
			return "", nil
		}
		if own := admin.Elem().FieldByName("Listen").String(); own != "" {
			listen = caddy.NewReplacer().ReplaceAll(own, "")
		}
	}
	return listen, nil
}

// adminSocket returns the path of the unix socket of an admin address, "" for an address
// of another kind. An abstract socket has no path: every process on the machine's network
// reaches it.
func adminSocket(listen string) string {
	network, path, found := strings.Cut(listen, "/")
	if !found || !strings.HasPrefix(network, "unix") || strings.HasPrefix(path, "@") {
		return ""
	}
	path, _, _ = strings.Cut(path, "|") // permissions
	return path
}

// checkAdmin refuses functions on the host's network if they could reach an admin endpoint.
// Their code could change the server's whole configuration, which is a way out of the
// sandbox.
func (a *App) checkAdmin(ctx caddy.Context, s *engine.Settings) error {
	listen, err := adminListen(ctx)
	if err != nil {
		return err
	}
	if listen == "" {
		return nil
	}
	if path := adminSocket(listen); path != "" {
		if path, err = filepath.Abs(path); err != nil {
			return err
		}
		s.Sandbox.Hide = append(s.Sandbox.Hide, path)
		return nil
	}
	if a.Sandbox.AllowAdminEndpoint {
		return nil
	}
	a.admin = listen
	s.HostNetwork = fmt.Sprintf("functions on the machine's network could reach Caddy's admin endpoint at %s, and through it change this server; "+
		`%s, or set "network private" or "sandbox { allow_admin_endpoint }"`, listen, hideAdmin())
	a.hostNetwork = a.usesHostNetwork(s, &function.Function{})
	for _, f := range s.Functions {
		if a.usesHostNetwork(s, f.Function) {
			return fmt.Errorf(`function %q has the host's network and could reach Caddy's admin endpoint at %s, and through it change this server; `+
				`%s, or give the function "network private", or set "sandbox { allow_admin_endpoint }"`, f.Name, listen, hideAdmin())
		}
	}
	return nil
}

// checkAdminOfAPI refuses the Lambda API beside such an endpoint, because its functions have
// the host's network.
func (a *App) checkAdminOfAPI() error {
	if a.admin == "" || !a.hostNetwork {
		return nil
	}
	return fmt.Errorf(`lambda_api: functions that it makes have the host's network and could reach Caddy's admin endpoint at %s, and through it change this server; `+
		`%s, or set "sandbox { allow_admin_endpoint }"`, a.admin, hideAdmin())
}

// usesHostNetwork reports whether f has the machine's network.
func (a *App) usesHostNetwork(s *engine.Settings, f *function.Function) bool {
	network, _ := s.Network.Of(f)
	return network == function.NetworkHost || a.Sandbox.Mode == sandbox.Off
}

func hideAdmin() string {
	return fmt.Sprintf(`remove the option admin (and CADDY_ADMIN), or put "admin unix/%s" into the global options`, defaultAdminSocket())
}
