package launch

import (
	"context"
	"net/netip"
	"strconv"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/sandbox/network"
)

// Keys make the credentials of environments.
type Keys interface {
	// Begin makes credentials of the role of f, which are good until End. None are made if the
	// role is not known; then the variables are nil. api is where this server answers AWS's
	// APIs, at a loopback address.
	Begin(ctx context.Context, f *function.Function, environment string) (variables map[string]string, api netip.AddrPort, err error)
	// End ends the credentials of an environment. It may be called again.
	End(environment string)
}

// Variables of an environment by which AWS's SDKs find credentials and this server. A function
// that sets one of them itself, or one that AWS's SDKs prefer, gets none.
const endpointURL = "AWS_ENDPOINT_URL"

// xrayVariable is by which X-Ray's SDKs find the daemon.
const xrayVariable = "AWS_XRAY_DAEMON_ADDRESS"

var ownVariables = []string{
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", endpointURL, "AWS_PROFILE",
	"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_WEB_IDENTITY_TOKEN_FILE",
}

// Traces says where segments of X-Ray's are taken, at a loopback address.
type Traces interface {
	// Traces is invalid if nobody wants them.
	Traces(ctx context.Context) netip.AddrPort
}

// trace lets an environment reach where segments of X-Ray's are taken, and returns the variables by
// which X-Ray's SDKs find it. A function that names a daemon of its own, or has no network, gets none.
func (l *Launcher) trace(ctx context.Context, f *function.Function, n function.Network, rules *function.NetworkRules) map[string]string {
	if l.Traces == nil || n == function.NetworkNone || f.Environment[xrayVariable] != "" {
		return nil
	}
	at := l.Traces.Traces(ctx)
	if !at.IsValid() {
		return nil
	}
	address := at
	if n == function.NetworkPrivate {
		rules.Traces = at
		address = netip.AddrPortFrom(network.ResolverAddress(), at.Port())
	}
	return map[string]string{
		xrayVariable: address.String(), "_AWS_XRAY_DAEMON_ADDRESS": address.Addr().String(), "_AWS_XRAY_DAEMON_PORT": strconv.Itoa(int(address.Port())),
	}
}

// given are what one environment got.
type given struct {
	variables map[string]string // nil: nothing
	end       func()
}

// begin makes the credentials of an environment, and lets it reach the server. A function without
// a network gets none.
func (l *Launcher) begin(ctx context.Context, f *function.Function, id string, n function.Network, rules *function.NetworkRules) (given, error) {
	none := given{end: func() {}}
	if l.Keys == nil || f.Role == "" || n == function.NetworkNone {
		return none, nil
	}
	for _, name := range ownVariables {
		if _, sets := f.Environment[name]; sets {
			return none, nil
		}
	}
	variables, api, err := l.Keys.Begin(ctx, f, id)
	if variables == nil || err != nil {
		return none, err
	}
	address := api
	if n == function.NetworkPrivate {
		rules.Own = api
		address = netip.AddrPortFrom(network.ResolverAddress(), api.Port())
	}
	variables[endpointURL] = "http://" + address.String()
	return given{variables, func() { l.Keys.End(id) }}, nil
}
