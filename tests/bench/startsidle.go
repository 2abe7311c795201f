package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	startsDensity = "starts idle environments"

	idleEnvironments = 20
	// idleSettled is how long they are idle before their memory is read.
	idleSettled = 5 * time.Second
)

// startsIdle says what one more idle environment of a few lines costs, all its processes: by
// how much the proportional set size of all processes but the gateway grows. There is one stem
// before and after.
func startsIdle(m machine) scenario {
	return scenario{name: startsDensity, group: startsGroup, measure: func(ctx context.Context, shared *stage) (figures []figure, err error) {
		for _, l := range hellos(m) {
			f := l.function
			f.name += "-idle"
			functions := f.copies(idleEnvironments)
			own, err := loadStage(ctx, shared, "\t\tstems 1\n", functions)
			if err != nil {
				return nil, err
			}
			mb, err := idleCost(ctx, own, l.family, functions)
			own.close()
			if err != nil {
				return nil, err
			}
			figures = append(figures, figure{startsDensity, l.name + ", MB of an idle environment", mb})
		}
		return figures, nil
	}}
}

func idleCost(ctx context.Context, own *stage, family string, functions []function) (float64, error) {
	memory := func() (float64, error) {
		if err := stemsSettled(ctx, own, family); err != nil {
			return 0, err
		}
		return pssOf(own.roots[hearthStack][0])
	}
	before, err := memory()
	if err != nil {
		return 0, err
	}
	client := newClient(1)
	defer client.CloseIdleConnections()
	for _, f := range functions {
		if c := call(ctx, client, own.address[hearthStack]+f.path()); c.err != nil {
			return 0, fmt.Errorf("%s: %w", f.name, c.err)
		}
	}
	if err := wait(ctx, idleSettled-stemsSettle); err != nil {
		return 0, err
	}
	after, err := memory()
	return (after - before) / float64(len(functions)), err
}

// pssOf is the proportional set size in MB of all that descend from a process.
func pssOf(root int) (mb float64, err error) {
	members, err := family(root)
	if err != nil {
		return 0, err
	}
	for _, p := range members {
		if p.pid == root {
			continue
		}
		f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", p.pid))
		if err != nil {
			continue // it has ended since
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if value, found := strings.CutPrefix(lines.Text(), "Pss:"); found {
				kb, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
				mb += float64(kb) / 1024
			}
		}
		f.Close()
	}
	return mb, nil
}
