package function

import (
	"net/netip"
	"testing"
)

func TestRulesOfANetworkAreRead(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.0/8": "10.0.0.0/8 0", "10.1.2.3": "10.1.2.3/32 0", "10.1.2.3:5432": "10.1.2.3/32 5432", "10.1.2.3/8:5432": "10.0.0.0/8 5432",
		"fd00::/8": "fd00::/8 0", "fd00::1": "fd00::1/128 0", "[fd00::/8]:443": "fd00::/8 443", "[fd00::1]:443": "fd00::1/128 443",
		"::ffff:10.0.0.1": "10.0.0.1/32 0",
	} {
		rule, err := ParseAllow(text)
		if got := rule.To.String() + " " + itoa(rule.Port); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "example.com", "10.0.0.0/33", "10.0.0.1:0", "10.0.0.1:70000", "10.0.0.1:http", "[fd00::1]", "fe80::1%eth0", "10.0.0.1:"} {
		if rule, err := ParseAllow(text); err == nil {
			t.Errorf("%q is read as %v", text, rule)
		}
	}
	for text, want := range map[string]string{"127.0.0.1:9000": "127.0.0.1:9000", "localhost:9000": "127.0.0.1:9000", "[::1]:9000": "[::1]:9000"} {
		if service, err := ParseReach(text); err != nil || service.String() != want {
			t.Errorf("%s: got %s, %v", text, service, err)
		}
	}
	for _, text := range []string{"", "9000", "minio:9000", "127.0.0.1", "127.0.0.1:0"} {
		if service, err := ParseReach(text); err == nil {
			t.Errorf("%q is read as %v", text, service)
		}
	}
}

func itoa(port uint16) string {
	return netip.AddrPortFrom(netip.IPv4Unspecified(), port).String()[len("0.0.0.0:"):]
}

func FuzzRulesOfANetwork(f *testing.F) {
	f.Add("[fd00::/8]:443")
	f.Fuzz(func(t *testing.T, text string) {
		if rule, err := ParseAllow(text); err == nil && !rule.To.IsValid() {
			t.Errorf("%q is read as nothing", text)
		}
		if service, err := ParseReach(text); err == nil && !service.IsValid() {
			t.Errorf("%q is read as nothing", text)
		}
	})
}

func TestServicesOfOnePortAreRefused(t *testing.T) {
	for text, rules := range map[string]NetworkRules{
		"two of one port": {Reach: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:80"), netip.MustParseAddrPort("10.0.0.1:80")}},
		"the resolver's":  {Reach: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53")}},
		"the Runtime API": {Reach: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9001")}},
	} {
		if rules.Check() == nil {
			t.Errorf("%s is accepted", text)
		}
	}
}

func TestFunctionHasTheDefaultUnlessItHasRules(t *testing.T) {
	prefix, service := netip.MustParsePrefix("10.0.0.0/8"), netip.MustParseAddrPort("127.0.0.1:9000")
	d := NetworkDefault{NetworkPrivate, NetworkRules{Deny: []netip.Prefix{prefix}, Reach: []netip.AddrPort{service}}}
	if n, rules := d.Of(&Function{}); n != NetworkPrivate || !rules.Equal(d.Rules) {
		t.Errorf("got %s %v", n, rules)
	}
	own := NetworkRules{Allow: []NetworkRule{{To: prefix, Port: 5432}}, Reach: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:25")}}
	if _, rules := d.Of(&Function{Rules: own}); len(rules.Deny) != 0 || len(rules.Allow) != 1 || len(rules.Reach) != 2 {
		t.Errorf("got %v", rules)
	}
	if n, rules := d.Of(&Function{Network: NetworkHost}); n != NetworkHost || !rules.Equal(NetworkRules{}) {
		t.Errorf("got %s %v", n, rules)
	}
}
