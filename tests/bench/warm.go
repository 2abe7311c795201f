package main

import (
	"context"
	"fmt"
	"time"
)

const warmUp = time.Second

// levels are the numbers of connections: one caller, a busy site, saturation.
func levels() []int { return []int{1, 16, 64} }

// warmRow is one target at one number of connections.
type warmRow struct {
	Target      string   `json:"target"`
	Stack       stack    `json:"stack"`
	Connections int      `json:"connections"`
	Rounds      []sample `json:"rounds"`
}

func measureWarm(ctx context.Context, stage *stage, targets []target, s settings) ([]warmRow, error) {
	var rows []warmRow
	running := make([]target, 0, len(targets))
	for _, t := range targets {
		if stage.address[t.stack] == "" {
			continue
		}
		if err := expect(ctx, stage.address[t.stack]+t.path(), greeting); err != nil {
			return nil, fmt.Errorf("%s: %w", t.name, err)
		}
		// Brings every environment up and the just-in-time compilers to speed.
		progress("%s: warming up", t.name)
		if _, err := load(ctx, stage, t.stack, t.path(), 64, warmUp); err != nil {
			return nil, fmt.Errorf("%s: %w", t.name, err)
		}
		running = append(running, t)
		for _, connections := range levels() {
			rows = append(rows, warmRow{Target: t.name, Stack: t.stack, Connections: connections})
		}
	}
	for round := range s.rounds {
		for level, connections := range levels() {
			for i, t := range running {
				measured, err := load(ctx, stage, t.stack, t.path(), connections, time.Duration(s.seconds)*time.Second)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", t.name, err)
				}
				progress("round %d/%d, %2d connections, %-22s %8.0f req/s", round+1, s.rounds, connections, t.name, measured.PerSec)
				row := &rows[i*len(levels())+level]
				row.Rounds = append(row.Rounds, measured)
			}
		}
	}
	return rows, nil
}
