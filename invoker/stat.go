package invoker

import (
	"context"
	"time"

	"github.com/hearthfn/hearth/warmpool/state"
)

// A Stat counts what is stored for one function.
type Stat struct {
	Function string    `json:"function"`
	Waiting  int       `json:"waiting"` // those being delivered included
	Running  int       `json:"running"`
	Dead     int       `json:"dead"`
	Due      time.Time `json:"due,omitzero"` // of the first that waits
}

// Stats are those of all functions that have events.
func (i *Invoker) Stats(ctx context.Context) ([]Stat, error) {
	all := []Stat{}
	at := make(map[string]int)
	err := i.eachGroup(ctx, func(g state.GroupStat) {
		name, _ := functionOf(g.Group)
		if _, known := at[name]; !known {
			at[name] = len(all)
			all = append(all, Stat{Function: name})
		}
		s := &all[at[name]]
		s.Waiting, s.Running, s.Dead = s.Waiting+g.Waiting, s.Running+g.Leased, s.Dead+g.Buried
		s.Due = earlier(s.Due, g.Due)
	})
	return all, err
}

// eachGroup visits the groups that are ours.
func (i *Invoker) eachGroup(ctx context.Context, visit func(state.GroupStat)) error {
	const page = 256
	for after := groups; ; {
		found, err := i.Store.Groups(ctx, after, page)
		if err != nil {
			return err
		}
		for _, g := range found {
			if name, _ := functionOf(g.Group); name == "" {
				return nil // past ours
			}
			visit(g)
			after = g.Group
		}
		if len(found) < page {
			return nil
		}
	}
}
