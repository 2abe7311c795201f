package redisstore

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hearthfn/hearth/warmpool/state"
)

// entries reads a page of a group.
//
//	KEYS    waiting or buried, meta, bodies
//	ARGV    1 if buried; score and ID that the page comes after, or '' and '', limit
//	Output  for each entry: ID, meta, body, score; one more than limit if there is more
var entries = redis.NewScript(`
local ids
if ARGV[1] == '1' then
	ids = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[3] == '' and '-' or '(' .. ARGV[3], '+', 'LIMIT', 0, ARGV[4] + 1)
else
	-- Those of the same time come in the order of their IDs, as Redis has them.
	ids = {}
	local skip = 0
	if ARGV[2] ~= '' then
		local from = redis.call('ZRANK', KEYS[1], ARGV[3])
		if from and redis.call('ZSCORE', KEYS[1], ARGV[3]) == ARGV[2] then
			ids = redis.call('ZRANGE', KEYS[1], from + 1, from + 1 + ARGV[4])
		else
			for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[2], ARGV[2])) do
				if id > ARGV[3] and #ids <= tonumber(ARGV[4]) then ids[#ids+1] = id end
			end
			for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[2], '+inf', 'LIMIT', 0, ARGV[4] + 1 - #ids)) do
				ids[#ids+1] = id
			end
		end
	else
		ids = redis.call('ZRANGE', KEYS[1], 0, tonumber(ARGV[4]))
	end
end
local out = {}
for _, id in ipairs(ids) do
	out[#out+1] = id
	out[#out+1] = redis.call('HGET', KEYS[2], id)
	out[#out+1] = redis.call('HGET', KEYS[3], id)
	out[#out+1] = redis.call('ZSCORE', KEYS[1], id)
end
return out`)

// Entries implements state.Backlog.
func (s *Store) Entries(ctx context.Context, group string, buried bool, after string, limit int) (page []state.Entry, next string, err error) {
	if err := errors.Join(state.CheckOwner(group), state.CheckLimit(limit)); err != nil {
		return nil, "", err
	}
	position, err := hex.DecodeString(after)
	if err != nil {
		return nil, "", fmt.Errorf("%w: the page after %.80q", state.ErrInvalid, after)
	}
	score, id, _ := strings.Cut(string(position), ":")
	set, flag := "w", "0"
	if buried {
		set, flag = "x", "1"
	}
	got, err := entries.Run(ctx, s.client, []string{s.key(group, set), s.key(group, "m"), s.key(group, "b")}, flag, score, id, limit).StringSlice()
	if err != nil {
		return nil, "", s.explain(err)
	}
	for i := 0; i+3 < len(got); i += 4 {
		if len(page) == limit {
			last := got[i-4:]
			return page, hex.EncodeToString([]byte(last[3] + ":" + last[0])), nil
		}
		page = append(page, entryOf(group, got[i], got[i+1], got[i+2]))
	}
	return page, "", nil
}

// replay makes a buried entry wait.
//
//	KEYS    buried, waiting, due, meta
//	ARGV    ID
//	Output  1; 0 if none is buried
var replay = redis.NewScript(clock + `
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return 0 end
local pushed, token = string.match(redis.call('HGET', KEYS[4], ARGV[1]), '^%-?%d+|(%d+)|%d+|(%d+)|')
redis.call('HSET', KEYS[4], ARGV[1], string.format('%.0f', now) .. '|' .. pushed .. '|0|' .. token .. '|')
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.call('ZADD', KEYS[3], now, ARGV[1])
return 1`)

// Replay implements state.Backlog.
func (s *Store) Replay(ctx context.Context, group, id string) error {
	if err := state.CheckOwner(group); err != nil {
		return err
	}
	ok, err := replay.Run(ctx, s.client, []string{s.key(group, "x"), s.key(group, "w"), s.key(group, "d"), s.key(group, "m")}, id).Int()
	if err != nil {
		return s.explain(err)
	}
	if ok == 0 {
		return fmt.Errorf("buried entry %.80q of %q: %w", id, group, state.ErrNotFound)
	}
	return s.announce(ctx, group, time.Time{})
}

// purge removes an entry.
//
//	KEYS    where it is (waiting or buried), due, leased, meta, bodies
//	ARGV    ID
//	Output  1; 0 if it is not there
var purge = redis.NewScript(`
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
redis.call('HDEL', KEYS[5], ARGV[1])
return 1`)

// Purge implements state.Backlog.
func (s *Store) Purge(ctx context.Context, e state.Entry, buried bool) error {
	if err := state.CheckOwner(e.Group); err != nil {
		return err
	}
	set := "w"
	if buried {
		set = "x"
	}
	ok, err := purge.Run(ctx, s.client, []string{s.key(e.Group, set), s.key(e.Group, "d"), s.key(e.Group, "l"), s.key(e.Group, "m"), s.key(e.Group, "b")}, e.ID).Int()
	if err != nil {
		return s.explain(err)
	}
	if ok == 0 {
		return fmt.Errorf("entry %.80q of %q: %w", e.ID, e.Group, state.ErrNotFound)
	}
	return nil
}

// errEnough ends a walk through the groups.
var errEnough = errors.New("enough")

// Groups implements state.Backlog.
func (s *Store) Groups(ctx context.Context, after string, limit int) (stats []state.GroupStat, err error) {
	if err := state.CheckLimit(limit); err != nil {
		return nil, err
	}
	err = s.eachGroup(ctx, after, func(page []string) error {
		found, err := s.count(ctx, page)
		for _, g := range found {
			if len(stats) == limit {
				return errEnough
			}
			stats = append(stats, g)
		}
		return err
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return stats, s.explain(err)
}

// count counts the entries of groups, and leaves out those that have none.
func (s *Store) count(ctx context.Context, page []string) (stats []state.GroupStat, err error) {
	pipe := s.client.Pipeline()
	type counts struct {
		waiting, leased, buried *redis.IntCmd
		first                   *redis.ZSliceCmd
	}
	all := make([]counts, len(page))
	now := strconv.FormatInt(time.Now().UnixMilli(), 10)
	for i, group := range page {
		all[i] = counts{
			waiting: pipe.ZCard(ctx, s.key(group, "w")), leased: pipe.ZCount(ctx, s.key(group, "l"), "("+now, "+inf"),
			buried: pipe.ZCard(ctx, s.key(group, "x")), first: pipe.ZRangeWithScores(ctx, s.key(group, "w"), 0, 0),
		}
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	for i, group := range page {
		g := state.GroupStat{Group: group, Waiting: int(all[i].waiting.Val()), Leased: int(all[i].leased.Val()), Buried: int(all[i].buried.Val())}
		if first := all[i].first.Val(); len(first) > 0 {
			g.Due = time.UnixMilli(int64(first[0].Score))
		}
		if g.Waiting+g.Buried > 0 {
			stats = append(stats, g)
		}
	}
	return stats, nil
}
