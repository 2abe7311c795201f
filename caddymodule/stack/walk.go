package stack

import "context"

// A walk does something with every node of a graph, in parallel, each after those it waits for.
type walk struct {
	after map[string][]string // what a node waits for, by the node; those that are no nodes do not count
	most  int                 // at once
	stop  bool                // nothing begins after a failure
	do    func(ctx context.Context, node string) error
}

// run returns what failed. What waits for something that failed is not done. A circle is not
// done either: a template with one is refused before.
func (w *walk) run(ctx context.Context, nodes []string) map[string]error {
	waiting := make(map[string]int, len(nodes))
	for _, n := range nodes {
		waiting[n] = 0
	}
	next := make(map[string][]string)
	for _, n := range nodes {
		for _, before := range w.after[n] {
			if _, is := waiting[before]; is && before != n {
				waiting[n]++
				next[before] = append(next[before], n)
			}
		}
	}
	var ready []string
	for _, n := range nodes {
		if waiting[n] == 0 {
			ready = append(ready, n)
		}
	}
	type ending struct {
		node string
		err  error
	}
	ends := make(chan ending)
	failed := make(map[string]error)
	for busy := 0; ; {
		for len(ready) > 0 && busy < w.most && ctx.Err() == nil && (!w.stop || len(failed) == 0) {
			node := ready[0]
			ready = ready[1:]
			busy++
			go func() { ends <- ending{node, w.do(ctx, node)} }()
		}
		if busy == 0 {
			return failed
		}
		end := <-ends
		busy--
		if end.err != nil {
			failed[end.node] = end.err
			continue
		}
		for _, n := range next[end.node] {
			if waiting[n]--; waiting[n] == 0 {
				ready = append(ready, n)
			}
		}
	}
}
