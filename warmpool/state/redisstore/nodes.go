package redisstore

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hearthfn/hearth/warmpool/state"
)

// beat says that a node lives, and returns the list of nodes. All nodes call it each second, so
// it does not return the list again to a node that has it. The mark of a list is a time and not
// a count, so that a server that lost data never gives a new list the mark of an old one.
//
//	KEYS    nodes (hash: name -> JSON), until (zset: name by the end of its life), mark,
//	        the name of the data set
//	ARGV    name, JSON, milliseconds, the mark of the list that the node has, a name for a
//	        data set that has none
//	Output  the data set, the mark; unless it is the node's, the JSON of each node that lives
var beat = redis.NewScript(clock + `
redis.call('SET', KEYS[4], ARGV[5], 'NX')
local dataset = redis.call('GET', KEYS[4])
local moved = redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2]
if moved then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), ARGV[1])
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)) do
	redis.call('ZREM', KEYS[2], name)
	redis.call('HDEL', KEYS[1], name)
	moved = true
end
local mark = redis.call('GET', KEYS[3])
if moved or (mark or '') == '' then
	mark = t[1] .. '.' .. t[2] .. '/' .. ARGV[1]
	redis.call('SET', KEYS[3], mark)
end
if mark == ARGV[4] then return {dataset, mark} end
local out = redis.call('HVALS', KEYS[1])
table.insert(out, 1, mark)
table.insert(out, 1, dataset)
return out`)

func (s *Store) nodeKeys() []string {
	return []string{s.prefix + ":{nodes}:info", s.prefix + ":{nodes}:until", s.prefix + ":{nodes}:mark", s.prefix + ":{nodes}:dataset"}
}

// Beat implements state.Nodes.
func (s *Store) Beat(ctx context.Context, self state.Node, lasts time.Duration) (all []state.Node, dataset string, err error) {
	info, err := json.Marshal(self)
	if err != nil {
		return nil, "", err
	}
	s.mu.Lock()
	mark, have := s.nodesMark, s.nodes
	s.mu.Unlock()
	values, err := beat.Run(ctx, s.client, s.nodeKeys(), self.Name, info, spanMillis(lasts), mark, rand.Text()).StringSlice()
	if err != nil {
		return nil, "", s.explain(err)
	}
	dataset, values = values[0], values[1:]
	s.check(dataset)
	if values[0] == mark {
		return slices.Clone(have), dataset, nil
	}
	for _, value := range values[1:] {
		var n state.Node
		if json.Unmarshal([]byte(value), &n) == nil {
			all = append(all, n)
		}
	}
	slices.SortFunc(all, func(a, b state.Node) int { return cmp.Compare(a.Name, b.Name) })
	s.mu.Lock()
	s.nodesMark, s.nodes = values[0], slices.Clone(all)
	s.mu.Unlock()
	return all, dataset, nil
}

// Leave implements state.Nodes.
func (s *Store) Leave(ctx context.Context, self state.Node) error {
	keys := s.nodeKeys()
	pipe := s.client.Pipeline()
	pipe.HDel(ctx, keys[0], self.Name)
	pipe.ZRem(ctx, keys[1], self.Name)
	pipe.Set(ctx, keys[2], "", 0) // the next beat makes another
	_, err := pipe.Exec(ctx)
	return s.explain(err)
}

// offerLife is how long an offer is kept that its node does not change: what a dead
// node left goes.
const offerLife = 24 * time.Hour

// Offer implements state.Nodes.
func (s *Store) Offer(ctx context.Context, self state.Node, ready map[string]int) error {
	pipe := s.client.Pipeline()
	for thing, n := range ready {
		key := s.key(thing, "ready")
		if n > 0 {
			pipe.HSet(ctx, key, self.Process, n)
			pipe.Expire(ctx, key, offerLife)
		} else {
			pipe.HDel(ctx, key, self.Process)
		}
	}
	_, err := pipe.Exec(ctx)
	return s.explain(err)
}

// Offers implements state.Nodes.
func (s *Store) Offers(ctx context.Context, thing string) (map[string]int, error) {
	values, err := s.client.HGetAll(ctx, s.key(thing, "ready")).Result()
	if err != nil {
		return nil, s.explain(err)
	}
	all := make(map[string]int, len(values))
	for process, text := range values {
		if n, err := strconv.Atoi(text); err == nil && n > 0 {
			all[process] = n
		}
	}
	return all, nil
}

var _ state.Nodes = (*Store)(nil)
