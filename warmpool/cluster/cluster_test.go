package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// alone knows one node.
type alone struct{}

func (alone) Beat(_ context.Context, self state.Node, _ time.Duration) ([]state.Node, string, error) {
	return []state.Node{self}, "", nil
}
func (alone) Leave(context.Context, state.Node) error                 { return nil }
func (alone) Offer(context.Context, state.Node, map[string]int) error { return nil }
func (alone) Offers(context.Context, string) (map[string]int, error)  { return nil, nil }
func (alone) Lost(context.Context) error                              { return nil }
func (alone) Moved()                                                  {}
func (alone) Ready() map[string]int                                   { return nil }
func (alone) Group(context.Context, string, string, string) (*warmpool.Group, error) {
	return nil, warmpool.ErrClosed
}

func start(t *testing.T, secret string) *Cluster {
	t.Helper()
	c, err := New(Config{Name: "n", Nodes: alone{}, Local: alone{}, Secret: []byte(secret), Advertise: "127.0.0.1", Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		c.Close(ctx)
	})
	return c
}

func TestOnlyNodesWithTheSecretAreHeard(t *testing.T) {
	server, friend, stranger := start(t, "one"), start(t, "one"), start(t, "another")
	ask := func(c *http.Client) (int, error) {
		r, err := c.Post("https://"+server.Self().Address+pathInvoke, "", bytes.NewReader(nil))
		if err != nil {
			return 0, err
		}
		defer r.Body.Close()
		return r.StatusCode, nil
	}
	if status, err := ask(friend.client); err != nil || status != http.StatusConflict {
		t.Errorf("a node: %d, %v", status, err)
	}
	if _, err := ask(stranger.client); err == nil {
		t.Error("a node of another cluster was heard")
	}
	bare := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	defer bare.CloseIdleConnections()
	if _, err := ask(&http.Client{Transport: bare}); err == nil {
		t.Error("a client without a certificate was heard")
	}
	// And a node does not send calls to whoever listens at an address.
	impostor, err := tls.Listen("tcp", "127.0.0.1:0", stranger.server.TLSConfig)
	if err != nil {
		t.Fatal(err)
	}
	defer impostor.Close()
	go func() {
		for {
			c, err := impostor.Accept()
			if err != nil {
				return
			}
			_ = c.(*tls.Conn).Handshake()
			c.Close()
		}
	}()
	if _, err := friend.client.Post("https://"+impostor.Addr().String(), "", nil); !errors.Is(err, errStranger) {
		var failed net.Error
		if !errors.As(err, &failed) {
			t.Errorf("an impostor: %v", err)
		}
	}
}

// What a node sends may be cut off anywhere, or be nonsense.
func FuzzAnswersThatAreNotWholeAreErrors(f *testing.F) {
	f.Add([]byte("e\x00\x00\x00\x02{}"))
	f.Add([]byte("s\x00\x00\x00\x00c\x00\x00\x00\x01x"))
	f.Add([]byte("e\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		call := environment.NewCall()
		if err := readAnswer(bytes.NewReader(data), call); err == nil && !bytes.Contains(data, []byte{partEnd}) {
			t.Error("an answer without an end was taken")
		}
	})
}

func TestSharesAddUpAndLeftoversMove(t *testing.T) {
	var all []*Cluster
	nodes := []state.Node{{Name: "c"}, {Name: "a"}, {Name: "gone", Draining: true}, {Name: "b"}}
	for _, n := range nodes {
		c := &Cluster{self: n, nodes: nodes}
		c.draining = n.Draining
		all = append(all, c)
	}
	extra := make(map[string]bool) // nodes that ever had more than others
	for version := range 20 {
		for total := range 10 {
			sum, most := 0, 0
			for _, c := range all {
				n := c.ProvisionedPart("f", fmt.Sprint(version), total)
				sum, most = sum+n, max(most, n)
				if c.draining && n != 0 {
					t.Error("a node that drains has a share")
				}
				if n > total/3 {
					extra[c.self.Name] = true
				}
			}
			if sum != total || most > (total+2)/3 {
				t.Errorf("shares of %d add up to %d, the largest is %d", total, sum, most)
			}
		}
	}
	if len(extra) != 3 {
		t.Errorf("what is left over goes to %v alone", extra)
	}
	if n := (&Cluster{self: state.Node{Name: "new"}, nodes: nodes}).ProvisionedPart("f", "1", 7); n != 7 {
		t.Errorf("a node that others do not know has a share of %d", n)
	}
}

func TestACallIsReadOnlyByANodeThatTakesItWhileItWaits(t *testing.T) {
	read := func(f *frame) string {
		b, err := io.ReadAll(f)
		if err != nil && !errors.Is(err, errSilent) {
			t.Error(err)
		}
		return string(b)
	}
	f := &frame{rest: []byte("call")}
	if got := read(f); got != "" {
		t.Errorf("%q was read before it was taken", got)
	}
	f.accept()
	if got := read(f); got != "call" || !f.end() {
		t.Errorf("%q was read", got)
	}
	f = &frame{rest: []byte("call")}
	if f.end() {
		t.Error("a call that nobody took may have run")
	}
	f.accept()
	if got := read(f); got != "" || f.end() {
		t.Errorf("%q was read after its end", got)
	}
}
