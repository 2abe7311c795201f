package caddymodule

import (
	"net"
	"net/netip"
	"testing"

	"github.com/hearthfn/hearth/warmpool/function"
)

func TestIntegrationsReachWhatFunctionsReach(t *testing.T) {
	own := []net.Addr{&net.IPNet{IP: net.IPv4(192, 0, 2, 7), Mask: net.CIDRMask(24, 32)}, &net.IPNet{IP: net.ParseIP("2001:db8::7"), Mask: net.CIDRMask(64, 128)}}
	deny := function.NetworkRules{Deny: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	allow := function.NetworkRules{Allow: []function.NetworkRule{{To: netip.MustParsePrefix("10.0.0.0/8"), Port: 80}}}
	for _, test := range []struct {
		rules function.NetworkRules
		to    string
		want  bool
	}{
		{function.NetworkRules{}, "192.0.2.8:80", true},
		{function.NetworkRules{}, "192.0.2.7:80", false},
		{function.NetworkRules{}, "[2001:db8::7]:80", false},
		{function.NetworkRules{}, "127.0.0.1:2019", false},
		{function.NetworkRules{}, "[::1]:2019", false},
		{function.NetworkRules{}, "0.0.0.0:2019", false},
		{function.NetworkRules{}, "169.254.169.254:80", false},
		{deny, "10.1.2.3:80", false},
		{deny, "11.1.2.3:80", true},
		{allow, "10.1.2.3:80", true},
		{allow, "10.1.2.3:81", false},
		{allow, "11.1.2.3:80", false},
	} {
		if got := reaches(test.rules, netip.MustParseAddrPort(test.to), own); got != test.want {
			t.Errorf("%s by %+v: %v", test.to, test.rules, got)
		}
	}
}
