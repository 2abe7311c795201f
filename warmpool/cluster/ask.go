package cluster

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/hearthfn/hearth/warmpool/state"
)

// Find finds another node that lives, also one that this node has not heard of yet. ok is false
// if there is none.
func (c *Cluster) Find(ctx context.Context, is func(state.Node) bool) (node state.Node, ok bool) {
	if node, ok = c.member(is); ok || !c.mayLook() {
		return node, ok
	}
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	if err := c.beat(ctx); err != nil {
		return node, false // the next beat tells
	}
	return c.member(is)
}

// mayLook reports whether Find may ask the store again.
func (c *Cluster) mayLook() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < lookEvery {
		return false
	}
	c.looked = time.Now()
	return true
}

// Others are the other nodes that live, as they were a moment ago.
func (c *Cluster) Others() (others []state.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.nodes {
		if n.Process != c.self.Process {
			others = append(others, n)
		}
	}
	return others
}

func (c *Cluster) member(is func(state.Node) bool) (state.Node, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.nodes {
		if n.Process != c.self.Process && is(n) {
			return n, true
		}
	}
	return state.Node{}, false
}

// Ask sends a request to another node, whose Config.Other answers it. The caller closes the
// body of the answer.
func (c *Cluster) Ask(ctx context.Context, n state.Node, method, path string, header http.Header, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, "https://"+n.Address+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask node %s: %w", n.Name, err)
	}
	r.Header = header
	answer, err := c.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("ask node %s: %w", n.Name, err)
	}
	return answer, nil
}
