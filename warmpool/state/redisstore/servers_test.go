package redisstore

import (
	"slices"
	"testing"
)

func TestNodesOfAClusterAreReadWithThePortsOfTheirBus(t *testing.T) {
	const text = `07c37dfeb235213a872192d90877d0cd55635b91 127.0.0.1:30004@31004,hostname4 slave e7d1eecce10fd6bb5eb35b9f99a514335d9ba9ca 0 1426238317239 4 connected
67ed2db8d677e59ec4a4cefb06858cf2a1a89fa1 :30002@31002 myself,master - 0 0 2 connected 5461-10922
292f8b365bb7edb5e285caf0b7e6ddc7265d2f4f 2001:db8::1:30003@31003 master,fail? - 0 1426238318243 3 connected 10923-16383
e7d1eecce10fd6bb5eb35b9f99a514335d9ba9ca 127.0.0.1:0@0 master,noaddr - 0 1426238316232 1 disconnected

odd
`
	want := []string{
		"127.0.0.1:30004", "127.0.0.1:31004", "192.0.2.1:30002", "192.0.2.1:31002", "[2001:db8::1]:30003", "[2001:db8::1]:31003",
	}
	if got := parseNodes(text, "192.0.2.1:6379"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
