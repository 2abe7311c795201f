package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/hearthfn/hearth/warmpool/state"
)

// change applies a transaction to the records of an owner.
//
//	KEYS    values, names, revision
//	ARGV    channel, owner, then for each change: op, name, expected revision, value
//	Output  the revision; 0 if a record does not have the expected one
var change = redis.NewScript(`
for i = 3, #ARGV, 4 do
	if ARGV[i+2] ~= '-1' then
		local have = redis.call('HGET', KEYS[1], ARGV[i+1])
		if (have and string.match(have, '^%d+') or '0') ~= ARGV[i+2] then return 0 end
	end
end
local revision = redis.call('INCR', KEYS[3])
for i = 3, #ARGV, 4 do
	if ARGV[i] == '1' then
		redis.call('HSET', KEYS[1], ARGV[i+1], revision .. ':' .. ARGV[i+3])
		redis.call('ZADD', KEYS[2], 0, ARGV[i+1])
	elseif ARGV[i] == '2' then
		redis.call('HDEL', KEYS[1], ARGV[i+1])
		redis.call('ZREM', KEYS[2], ARGV[i+1])
	end
end
redis.call('PUBLISH', ARGV[1], ARGV[2])
return revision`)

// list reads a page of an owner's records.
//
//	KEYS    values, names
//	ARGV    the least name and the greatest, as ZRANGEBYLEX has them, limit
//	Output  name, value, name, value ...
var list = redis.NewScript(`
local out = {}
for _, name in ipairs(redis.call('ZRANGEBYLEX', KEYS[2], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])) do
	out[#out+1] = name
	out[#out+1] = redis.call('HGET', KEYS[1], name)
end
return out`)

// Change implements state.Records.
func (s *Store) Change(ctx context.Context, owner string, changes ...state.Change) (state.Revision, error) {
	if err := state.CheckChanges(owner, changes); err != nil {
		return 0, err
	}
	args := make([]any, 0, 2+4*len(changes))
	args = append(args, s.channel("changes"), owner)
	puts := false
	for _, c := range changes {
		puts = puts || c.Op == state.OpPut
		args = append(args, int(c.Op), c.Name, int64(c.If), c.Value)
	}
	// The index is written before the records: an owner without records is skipped, but an
	// owner that is not in the index would never be found.
	if puts && s.remember("owner/"+owner) {
		if err := s.client.ZAdd(ctx, s.owners(), redis.Z{Member: owner}).Err(); err != nil {
			s.forget("owner/" + owner)
			return 0, s.explain(err)
		}
	}
	revision, err := change.Run(ctx, s.client, []string{s.key(owner, "v"), s.key(owner, "n"), s.key(owner, "r")}, args...).Int64()
	if err != nil {
		return 0, s.explain(err)
	}
	if revision == 0 {
		return 0, fmt.Errorf("records of %q: %w", owner, state.ErrConflict)
	}
	return state.Revision(revision), nil
}

func (s *Store) owners() string { return s.prefix + ":{owners}" }

// record reads REVISION:VALUE.
func record(owner, name, text string) (state.Record, error) {
	revision, value, found := strings.Cut(text, ":")
	n, err := strconv.ParseInt(revision, 10, 64)
	if !found || err != nil {
		return state.Record{}, fmt.Errorf("record %q of %q: %w", name, owner, state.ErrDamaged)
	}
	return state.Record{Key: state.Key{Owner: owner, Name: name}, Value: []byte(value), Revision: state.Revision(n)}, nil
}

// Read implements state.Records.
func (s *Store) Read(ctx context.Context, key state.Key) (state.Record, error) {
	if err := state.CheckKey(key); err != nil {
		return state.Record{}, err
	}
	text, err := s.client.HGet(ctx, s.key(key.Owner, "v"), key.Name).Result()
	if errors.Is(err, redis.Nil) {
		return state.Record{}, fmt.Errorf("record %q of %q: %w", key.Name, key.Owner, state.ErrNotFound)
	}
	if err != nil {
		return state.Record{}, s.explain(err)
	}
	return record(key.Owner, key.Name, text)
}

// between is the range of names that begin with prefix and come after after. No UTF-8
// has the byte that ends it.
func between(prefix, after string) (from, to string) {
	from, to = "["+prefix, "("+prefix+"\xff"
	if after != "" && after >= prefix {
		from = "(" + after
	}
	if prefix == "" {
		to = "+"
		if after == "" {
			from = "-"
		}
	}
	return from, to
}

// List implements state.Records.
func (s *Store) List(ctx context.Context, owner, prefix, after string, limit int) ([]state.Record, error) {
	if err := errors.Join(state.CheckOwner(owner), state.CheckLimit(limit)); err != nil {
		return nil, err
	}
	from, to := between(prefix, after)
	found, err := list.Run(ctx, s.client, []string{s.key(owner, "v"), s.key(owner, "n")}, from, to, limit).StringSlice()
	if err != nil {
		return nil, s.explain(err)
	}
	var all []state.Record
	for i := 0; i+1 < len(found); i += 2 {
		one, err := record(owner, found[i], found[i+1])
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// Owners implements state.Records.
func (s *Store) Owners(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	if err := state.CheckLimit(limit); err != nil {
		return nil, err
	}
	var all []string
	for {
		from, to := between(prefix, after)
		page, err := s.client.ZRangeByLex(ctx, s.owners(), &redis.ZRangeBy{Min: from, Max: to, Count: int64(limit)}).Result()
		if err != nil {
			return nil, s.explain(err)
		}
		pipe := s.client.Pipeline()
		has := make([]*redis.IntCmd, len(page))
		for i, owner := range page {
			has[i] = pipe.Exists(ctx, s.key(owner, "n"))
		}
		if _, err := pipe.Exec(ctx); err != nil && len(page) > 0 {
			return nil, s.explain(err)
		}
		for i, owner := range page {
			if has[i].Val() > 0 {
				if all = append(all, owner); len(all) == limit {
					return all, nil
				}
			}
			after = owner
		}
		if len(page) < limit {
			return all, nil
		}
	}
}
