package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hearthfn/hearth/warmpool/state/redisstore"
)

// redisServer is a Redis of its own, which syncs to the disk each second.
type redisServer struct {
	*server
	url    string
	folder string
	store  *redisstore.Store // to ask it with
}

func startRedis(ctx context.Context, shared *stage) (_ *redisServer, err error) {
	folder, err := os.MkdirTemp(shared.folder, "redis")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	r := &redisServer{url: fmt.Sprintf("redis://127.0.0.1:%d", port), folder: folder}
	r.server, err = startServer("redis", folder, "redis-server", "--port", strconv.Itoa(port), "--bind", "127.0.0.1",
		"--dir", folder, "--save", "", "--appendonly", "yes", "--appendfsync", "everysec")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for {
		if r.store, err = redisstore.Open(ctx, redisstore.Config{URL: r.url}); err == nil {
			return r, nil
		}
		if stopped := wait(ctx, 20*time.Millisecond); stopped != nil {
			r.server.stop()
			return nil, fmt.Errorf("redis: %w: %w:\n%s", stopped, err, r.lastWords())
		}
	}
}

// option has a gateway use the server.
func (r *redisServer) option() string {
	return fmt.Sprintf("\t\tredis %s {\n\t\t\tsecret the-secret-of-the-benchmark\n\t\t\tunprotected\n\t\t}\n", r.url)
}

func (r *redisServer) close() {
	if err := r.store.Close(); err != nil {
		progress("%v", err)
	}
	r.stop()
}

// info reads numbers of Redis' INFO.
func (r *redisServer) info(ctx context.Context, names ...string) ([]float64, error) {
	text, err := r.store.Client().Info(ctx).Result()
	if err != nil {
		return nil, err
	}
	numbers := make([]float64, len(names))
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if i := slices.Index(names, name); i >= 0 {
			if numbers[i], err = strconv.ParseFloat(value, 64); err != nil {
				return nil, fmt.Errorf("redis: %s: %w", name, err)
			}
		}
	}
	return numbers, nil
}
