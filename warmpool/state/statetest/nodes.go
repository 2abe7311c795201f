package statetest

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/state"
)

type nodesTest struct {
	state.Nodes
	advance func(time.Duration)
}

// Nodes tests the store that open makes, empty for each call. advance is as for
// Queue.
func Nodes(t *testing.T, open func(t *testing.T) (store state.Nodes, advance func(time.Duration))) {
	tests := []struct {
		name string
		run  func(t *testing.T, n nodesTest)
	}{
		{"ABeatTellsAllNodesThatLive", beatsTell},
		{"ANodeThatIsNotHeardOfIsGone", silentNodeIsGone},
		{"ANodeThatLeavesIsGoneAtOnce", leftNodeIsGone},
		{"WhatIsKeptHasOneName", keptHasOneName},
		{"OffersAreThoseOfLast", offersAreThoseOfLast},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			store, advance := open(t)
			test.run(t, nodesTest{store, advance})
		})
	}
}

// wantNodes has self beat, twice: a store may answer from what it remembers.
func (n nodesTest) wantNodes(t *testing.T, self state.Node, lasts time.Duration, want string) {
	t.Helper()
	for range 2 {
		nodes, _, err := n.Beat(within(t), self, lasts)
		var got []string
		for _, node := range nodes {
			text := node.Name + node.Process + node.Address
			if node.Draining {
				text += "-draining"
			}
			got = append(got, text)
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s knows %q, %v; want %q", self.Name, got, err, want)
		}
	}
}

func (n nodesTest) wantOffers(t *testing.T, thing string, want map[string]int) {
	t.Helper()
	if got, err := n.Offers(within(t), thing); err != nil || !maps.Equal(got, want) {
		t.Errorf("offers of %s are %v, %v; want %v", thing, got, err, want)
	}
}

func beatsTell(t *testing.T, n nodesTest) {
	a, b := state.Node{Name: "a", Process: "1", Address: "h:1"}, state.Node{Name: "b", Process: "2"}
	n.wantNodes(t, b, time.Hour, "b2")
	n.wantNodes(t, a, time.Hour, "a1h:1 b2")
	b.Draining = true
	n.wantNodes(t, b, time.Hour, "a1h:1 b2-draining")
	n.wantNodes(t, a, time.Hour, "a1h:1 b2-draining")
	b = state.Node{Name: "b", Process: "3"} // started anew
	n.wantNodes(t, b, time.Hour, "a1h:1 b3")
	n.wantNodes(t, a, time.Hour, "a1h:1 b3")
}

func silentNodeIsGone(t *testing.T, n nodesTest) {
	a, b := state.Node{Name: "a", Process: "1"}, state.Node{Name: "b", Process: "2"}
	n.wantNodes(t, b, 50*time.Millisecond, "b2")
	n.advance(60 * time.Millisecond)
	n.wantNodes(t, a, time.Hour, "a1")
	n.wantNodes(t, b, time.Hour, "a1 b2")
}

func leftNodeIsGone(t *testing.T, n nodesTest) {
	a, b := state.Node{Name: "a", Process: "1"}, state.Node{Name: "b", Process: "2"}
	n.wantNodes(t, a, time.Hour, "a1")
	n.wantNodes(t, b, time.Hour, "a1 b2")
	if err := n.Leave(within(t), b); err != nil {
		t.Fatal(err)
	}
	n.wantNodes(t, a, time.Hour, "a1")
	if err := n.Leave(within(t), b); err != nil {
		t.Errorf("leaving twice: %v", err)
	}
}

func keptHasOneName(t *testing.T, n nodesTest) {
	var names []string
	for _, name := range []string{"a", "b", "a"} {
		_, kept, err := n.Beat(within(t), state.Node{Name: name, Process: name}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, kept)
	}
	if names[0] == "" || names[0] != names[1] || names[1] != names[2] {
		t.Errorf("what is kept is called %q", names)
	}
}

func offersAreThoseOfLast(t *testing.T, n nodesTest) {
	a, b := state.Node{Name: "a", Process: "1"}, state.Node{Name: "b", Process: "2"}
	offer := func(self state.Node, ready map[string]int) {
		t.Helper()
		if err := n.Offer(within(t), self, ready); err != nil {
			t.Fatal(err)
		}
	}
	n.wantOffers(t, "f", nil)
	offer(a, map[string]int{"f": 2, "g": 1})
	offer(b, map[string]int{"f": 1})
	n.wantOffers(t, "f", map[string]int{"1": 2, "2": 1})
	n.wantOffers(t, "g", map[string]int{"1": 1})
	offer(a, map[string]int{"f": 0}) // of g nothing is said
	n.wantOffers(t, "f", map[string]int{"2": 1})
	n.wantOffers(t, "g", map[string]int{"1": 1})
}
