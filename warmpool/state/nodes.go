package state

import (
	"context"
	"time"
)

// A Node is one gateway process of several.
type Node struct {
	Name     string    // of the node, the same after a restart
	Process  string    // another one after each start
	Address  string    // host:port where other nodes reach it
	Started  time.Time //
	Draining bool      // it takes no calls of others, and will end soon
}

// Nodes knows which nodes there are, and which of them hold something warm.
type Nodes interface {
	// Beat says that self lives, for lasts from now, and returns all nodes that do,
	// self included, in the order of their names. dataset names the data of the store: it is
	// another name once all of that may be lost, the nodes and their offers too.
	Beat(ctx context.Context, self Node, lasts time.Duration) (nodes []Node, dataset string, err error)

	// Leave takes a node out at once.
	Leave(ctx context.Context, self Node) error

	// Offer says how many of each thing a node holds ready now. What it does not name
	// is as it was; 0 is none.
	Offer(ctx context.Context, self Node, ready map[string]int) error

	// Offers returns what nodes said of a thing: by the node's Process, for one that
	// has started anew holds nothing of what it held.
	Offers(ctx context.Context, thing string) (map[string]int, error)
}
