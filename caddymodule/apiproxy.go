package caddymodule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/sandbox"
	"github.com/hearthfn/hearth/warmpool/sandbox/network"
)

// An apiProxy sends the requests of HTTP integrations that AWS's API made, by one reverse_proxy
// of Caddy's. It reaches what functions with the network of the configuration reach: whoever
// may make an API may make such a function, and gets no further by an integration.
type apiProxy struct {
	upstream  reverseproxy.Handler
	transport *http.Transport
	// everything says that functions have the machine's network.
	everything bool
	rules      function.NetworkRules
	nothing    bool
}

// Placeholders by which a request tells reverse_proxy where it goes.
const (
	upstreamPlaceholder = "http.hearth.integration.address"
	hostPlaceholder     = "http.hearth.integration.host"
	schemePlaceholder   = "http.hearth.integration.scheme"
)

// Bounds of connections to integrations. AWS has no figure for them.
const (
	dialTimeout     = 10 * time.Second
	idleConnections = 64
	idleConnTimeout = 90 * time.Second
)

func newAPIProxy(ctx caddy.Context, app *App) (*apiProxy, error) {
	of, rules := app.network.Of(&function.Function{})
	p := &apiProxy{rules: rules, everything: of == function.NetworkHost || app.Sandbox.Mode == sandbox.Off, nothing: of == function.NetworkNone}
	dialer := &net.Dialer{Timeout: dialTimeout, Control: p.control}
	p.transport = &http.Transport{
		DialContext: dialer.DialContext, TLSHandshakeTimeout: dialTimeout, MaxIdleConnsPerHost: idleConnections,
		IdleConnTimeout: idleConnTimeout, DisableCompression: true,
	}
	p.upstream = reverseproxy.Handler{
		Transport: schemed{p.transport},
		Upstreams: reverseproxy.UpstreamPool{{Dial: "{" + upstreamPlaceholder + "}"}},
		Headers:   &headers.Handler{Request: &headers.HeaderOps{Set: http.Header{"Host": {"{" + hostPlaceholder + "}"}}}},
	}
	return p, p.upstream.Provision(ctx)
}

// schemed gives requests the scheme of their integration, which reverse_proxy has from its
// transport.
type schemed struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (t schemed) RoundTrip(r *http.Request) (*http.Response, error) {
	r.URL.Scheme, _ = r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer).GetString(schemePlaceholder)
	return t.Transport.RoundTrip(r)
}

func (p *apiProxy) close() error {
	p.transport.CloseIdleConnections()
	return p.upstream.Cleanup()
}

// errUnreachable says that the sandbox's rules do not open an address.
var errUnreachable = errors.New("functions do not reach this address, and integrations neither: see the options network and reach")

// control refuses a connection before it is made. The name has become an address by now.
func (p *apiProxy) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	to = netip.AddrPortFrom(to.Addr().Unmap().WithZone(""), to.Port())
	if p.everything || slices.Contains(p.rules.Reach, to) {
		return nil
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return err
	}
	if p.nothing || !reaches(p.rules, to, own) {
		return fmt.Errorf("%s: %w", to, errUnreachable)
	}
	return nil
}

// reaches says whether a private network reaches an address that no reach opens. own are the
// addresses of this machine.
func reaches(rules function.NetworkRules, to netip.AddrPort, own []net.Addr) bool {
	in := func(prefix netip.Prefix) bool { return prefix.Contains(to.Addr()) }
	isOwn := func(a net.Addr) bool {
		prefix, err := netip.ParsePrefix(a.String())
		return err == nil && prefix.Addr().Unmap().WithZone("") == to.Addr()
	}
	if slices.ContainsFunc(network.Never(), in) || slices.ContainsFunc(rules.Deny, in) || slices.ContainsFunc(own, isOwn) {
		return false
	}
	return len(rules.Allow) == 0 || slices.ContainsFunc(rules.Allow, func(rule function.NetworkRule) bool {
		return in(rule.To) && (rule.Port == 0 || rule.Port == to.Port())
	})
}

// nothingNext is after the proxy, which answers every request itself.
var nothingNext caddyhttp.Handler = caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })

// handler makes what sends the requests of a route.
func (p *apiProxy) handler(s *apiServer, n int) (caddyhttp.Handler, error) {
	route := &s.routes[n]
	of := &route.of.Integration
	target, err := gateway.ParseTarget(of.URI, append([]string{}, route.pattern.Names()...))
	if err != nil {
		return nil, err
	}
	timeout := time.Duration(of.Timeout) * time.Millisecond
	return caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
		u, err := target.URL(s.path(r), r.URL.RawQuery, func(name string) string {
			value, _ := repl.GetString(pathPlaceholder + name)
			return value
		})
		if err != nil {
			return refuseAPI(w, r, s.api.Protocol.Failed(http.StatusInternalServerError, ""), err)
		}
		repl.Set(upstreamPlaceholder, target.Address)
		repl.Set(hostPlaceholder, target.Host)
		repl.Set(schemePlaceholder, target.Scheme)
		ctx := r.Context()
		if timeout > 0 && !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, timeout)
			defer cancel()
		}
		to := r.Clone(ctx)
		to.URL, to.Method = u, cmp.Or(of.Method, r.Method)
		return s.proxied(w, r, route, p.upstream.ServeHTTP(w, to, nothingNext))
	}), nil
}

// proxied refuses a request whose integration did not answer.
func (s *apiServer) proxied(w http.ResponseWriter, r *http.Request, route *servedRoute, err error) error {
	var failed caddyhttp.HandlerError
	if !errors.As(err, &failed) || failed.StatusCode < http.StatusInternalServerError {
		return err
	}
	s.refusals.Tell(s.log, zap.ErrorLevel, "integration failed", route.of.Key, func() []zap.Field {
		return []zap.Field{zap.String("route", route.of.Key), zap.String("uri", route.of.Integration.URI), zap.Error(err)}
	})
	return refuseAPI(w, r, s.api.Protocol.Unreached(failed.StatusCode == http.StatusGatewayTimeout), err)
}
