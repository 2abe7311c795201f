package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddytls"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/caddymodule/awsapi/domain"
)

func init() {
	caddy.RegisterModule(CertificatePermission{})
}

// errNoMapping is that of a request that no mapping of its domain name takes.
var errNoMapping = errors.New("no API mapping of the domain name takes the path")

// serveDomain answers a request whose host is a custom domain name, and reports whether it is.
func (h *apiHosts) serveDomain(w http.ResponseWriter, r *http.Request) (answered bool, err error) {
	r = oneSlash(r)
	path := apigateway.Canonical(r.URL.EscapedPath())
	m, base, known, err := h.app.setup.Domains().Find(r.Context(), r.Host, path)
	switch {
	case err != nil:
		return true, caddyhttp.Error(http.StatusServiceUnavailable, err)
	case !known:
		return false, nil
	case m == nil:
		return true, refuseAPI(w, r, gateway.REST.Denied(http.StatusForbidden), errNoMapping)
	}
	api, err := h.app.setup.APIs().API(r.Context(), m.APIID)
	switch {
	case errors.Is(err, apigatewayv2.ErrNotFound):
		return true, refuseAPI(w, r, gateway.REST.Denied(http.StatusForbidden), fmt.Errorf("API %q: %w", m.APIID, err))
	case err != nil:
		return true, caddyhttp.Error(http.StatusServiceUnavailable, err)
	}
	if api.Protocol == gateway.WebSocket {
		return true, h.sockets.serveMapped(w, r, api, m.Stage, base)
	}
	stage := m.Stage
	if stage == "" {
		stage, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimPrefix(path, base), "/"), "/")
		base += "/" + stage
	}
	of := api.Stages[stage]
	if of == nil {
		return true, refuseAPI(w, r, noStage(api.Protocol), errNoStage)
	}
	return true, h.serveBy(w, r, of, base, true)
}

// CertificatePermission lets Caddy get certificates on demand for the names that Hearth serves:
// custom domain names, and addresses of APIs that are there. In a Caddyfile it
// is `on_demand_tls { permission hearth }`.
type CertificatePermission struct {
	app *App
}

// CaddyModule returns the Caddy module information.
func (CertificatePermission) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "tls.permission.hearth",
		New: func() caddy.Module { return new(CertificatePermission) },
	}
}

// Provision gets the app.
func (p *CertificatePermission) Provision(ctx caddy.Context) error {
	module, err := ctx.AppIfConfigured("hearth")
	if err != nil {
		return fmt.Errorf("permission hearth: the global option hearth is missing: %w", err)
	}
	p.app = module.(*App)
	return nil
}

// CertificateAllowed implements caddytls.OnDemandPermission.
func (p *CertificatePermission) CertificateAllowed(ctx context.Context, name string) error {
	served, err := p.app.serves(ctx, name)
	if err == nil && !served {
		err = fmt.Errorf("%s: %w", name, caddytls.ErrPermissionDenied)
	}
	return err
}

// serves says whether there is something at a host that AWS's API made.
func (a *App) serves(ctx context.Context, host string) (bool, error) {
	host = domain.Host(host)
	if a.apiDomain != "" {
		if id, ok := labelOf(host, a.apiDomain); ok {
			_, err := a.setup.APIs().API(ctx, id)
			if errors.Is(err, apigatewayv2.ErrNotFound) {
				return false, nil
			}
			return err == nil, err
		}
	}
	return a.setup.Domains().Has(ctx, host)
}

// UnmarshalCaddyfile implements caddyfile.Unmarshaler.
func (p *CertificatePermission) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the module's name
	if d.NextArg() || d.NextBlock(0) {
		return d.ArgErr()
	}
	return nil
}

var (
	_ caddy.Provisioner           = (*CertificatePermission)(nil)
	_ caddyfile.Unmarshaler       = (*CertificatePermission)(nil)
	_ caddytls.OnDemandPermission = (*CertificatePermission)(nil)
)
