package state

import (
	"context"
	"time"
)

// A Node is one gateway process of several.
type Node struct {
	Name     string    // of the node, the same after a restart
	Process  string    // different after each start
	Address  string    // host:port where other nodes reach it
	Started  time.Time //
	Draining bool      // it takes no calls of other nodes, and will end soon
}

// Nodes knows which nodes live, and which of them have what kept warm.
type Nodes interface {
	// Beat says that self lives, for lasts from now. It returns all live nodes, including self,
	// in the order of their names. dataset names the data of the store. The name changes when
	// all of the data may have been lost, with the nodes and their offers.
	Beat(ctx context.Context, self Node, lasts time.Duration) (nodes []Node, dataset string, err error)

	// Leave removes a node at once.
	Leave(ctx context.Context, self Node) error

	// Offer says how many of each thing a node has ready now. Things that it does not name
	// stay as they were; 0 is none.
	Offer(ctx context.Context, self Node, ready map[string]int) error

	// Offers returns what nodes said of a thing, by the Process of each node: a node that has
	// restarted no longer has what it offered before.
	Offers(ctx context.Context, thing string) (map[string]int, error)
}
