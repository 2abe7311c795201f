package redisstore

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hearthfn/hearth/warmpool/state"
)

// clock is Lua that has the server's time in now.
const clock = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
`

// push keeps entries.
//
//	KEYS    waiting, due, meta, bodies, last ID, then for each item the key of its
//	        name, or any of these if it has none
//	ARGV    for each item: at or '', milliseconds of its name or 0, body
//	Output  the IDs
var push = redis.NewScript(clock + `
local ids = {}
for i = 1, #ARGV, 3 do
	local named, id = tonumber(ARGV[i+1]) > 0, false
	local key = KEYS[5 + (i + 2) / 3]
	if named then id = redis.call('GET', key) end
	if not id then
		id = string.format('%016x', redis.call('INCR', KEYS[5]))
		local at = ARGV[i] == '' and now or tonumber(ARGV[i])
		redis.call('ZADD', KEYS[1], at, id)
		redis.call('ZADD', KEYS[2], at, id)
		redis.call('HSET', KEYS[3], id, string.format('%.0f|%.0f|0|0|', at, now))
		redis.call('HSET', KEYS[4], id, ARGV[i+2])
		if named then redis.call('SET', key, id, 'PX', ARGV[i+1]) end
	end
	ids[#ids+1] = id
end
return ids`)

// endOrExtend ends a lease, or makes it last.
//
//	KEYS    waiting, due, leased, buried, meta, bodies
//	ARGV    what (done, retry, bury or extend), ID, token, at or '' (retry) or
//	        milliseconds (extend), attempts, note
//	Output  1; 0 if the lease has ended
var endOrExtend = redis.NewScript(clock + `
local what, id = ARGV[1], ARGV[2]
local till = redis.call('ZSCORE', KEYS[3], id)
if not till or tonumber(till) <= now then return 0 end
local at, pushed, attempts, token = string.match(redis.call('HGET', KEYS[5], id), '^(%-?%d+)|(%d+)|(%d+)|(%d+)|')
if token ~= ARGV[3] then return 0 end
if what == 'extend' then
	redis.call('ZADD', KEYS[3], now + tonumber(ARGV[4]), id)
	return 1
end
redis.call('ZREM', KEYS[3], id)
if what == 'done' then
	redis.call('ZREM', KEYS[1], id)
	redis.call('HDEL', KEYS[5], id)
	redis.call('HDEL', KEYS[6], id)
	return 1
end
at = string.format('%.0f', ARGV[4] == '' and now or tonumber(ARGV[4]))
redis.call('HSET', KEYS[5], id, at .. '|' .. pushed .. '|' .. ARGV[5] .. '|' .. token .. '|' .. ARGV[6])
if what == 'bury' then
	redis.call('ZREM', KEYS[1], id)
	redis.call('ZADD', KEYS[4], 0, id)
else
	redis.call('ZADD', KEYS[1], at, id)
	redis.call('ZADD', KEYS[2], at, id)
end
return 1`)

// announce writes into the index that a group got something. Then it wakes those who wait for
// that: earlier they would find nothing there.
//
//	KEYS    due, generations, all
//	ARGV    group, when, 1 if it may be a new group, channel
var announce = redis.NewScript(`
redis.call('HINCRBY', KEYS[2], ARGV[1], 1)
redis.call('ZADD', KEYS[1], 'LT', ARGV[2], ARGV[1])
if ARGV[3] == '1' then redis.call('ZADD', KEYS[3], 0, ARGV[1]) end
redis.call('PUBLISH', ARGV[4], ARGV[1])`)

// index are the keys of the groups' index.
func (s *Store) index() []string {
	tag := s.prefix + ":{groups}:"
	return []string{tag + "due", tag + "gen", tag + "all"}
}

// announce runs its script: a group has an entry that is due at a time.
func (s *Store) announce(ctx context.Context, group string, at time.Time) error {
	when := "0" // at once, whatever the clocks of nodes say
	if !at.IsZero() && at.After(time.Now()) {
		when = millis(at)
	}
	isNew := 0
	if s.remember("group/" + group) {
		isNew = 1
	}
	err := announce.Run(ctx, s.client, s.index(), group, when, isNew, s.channel("ready")).Err()
	if err != nil && err != redis.Nil {
		s.forget("group/" + group)
		return s.explain(err)
	}
	return nil
}

// pushWithin bounds how long a source waits until it learns that it must try again. The client
// does not send a push twice in this time: the server would store the items twice.
const pushWithin = 3 * time.Second

// Push implements state.Queue.
func (s *Store) Push(ctx context.Context, group string, items ...state.Item) ([]string, error) {
	if err := state.CheckPush(group, items); err != nil {
		return nil, err
	}
	keys := []string{s.key(group, "w"), s.key(group, "d"), s.key(group, "m"), s.key(group, "b"), s.key(group, "s")}
	args := make([]any, 0, 3*len(items))
	first := items[0].At
	for _, item := range items {
		key, span := keys[0], int64(0)
		if item.Once != "" {
			key, span = s.key(group, "o:"+item.Once), spanMillis(item.OnceFor)
		}
		keys = append(keys, key)
		args = append(args, millis(item.At), span, item.Body)
		if item.At.Before(first) {
			first = item.At
		}
	}
	within, cancel := context.WithTimeout(ctx, pushWithin)
	defer cancel()
	ids, err := push.Run(within, s.client, keys, args...).StringSlice()
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("%s: %w: no answer within %s", s.address, state.ErrUnavailable, pushWithin)
	}
	if err != nil {
		return nil, s.explain(err)
	}
	return ids, s.announce(within, group, first)
}

// endOrExtend runs its script.
func (s *Store) endOrExtend(ctx context.Context, what string, l state.Lease, at any) error {
	if err := state.CheckOwner(l.Group); err != nil {
		return err
	}
	keys := []string{s.key(l.Group, "w"), s.key(l.Group, "d"), s.key(l.Group, "l"), s.key(l.Group, "x"), s.key(l.Group, "m"), s.key(l.Group, "b")}
	ok, err := endOrExtend.Run(ctx, s.client, keys, what, l.ID, l.Token, at, l.Attempts, l.Note).Int()
	if err != nil {
		return s.explain(err)
	}
	if ok == 0 {
		return fmt.Errorf("entry %s of %q: %w", l.ID, l.Group, state.ErrLeaseLost)
	}
	return nil
}

// Done implements state.Queue.
func (s *Store) Done(ctx context.Context, l state.Lease) error {
	return s.endOrExtend(ctx, "done", l, "")
}

// Retry implements state.Queue.
func (s *Store) Retry(ctx context.Context, l state.Lease) error {
	if err := state.CheckNote(l); err != nil {
		return err
	}
	if err := s.endOrExtend(ctx, "retry", l, millis(l.At)); err != nil {
		return err
	}
	return s.announce(ctx, l.Group, l.At)
}

// Bury implements state.Queue.
func (s *Store) Bury(ctx context.Context, l state.Lease) error {
	if err := state.CheckNote(l); err != nil {
		return err
	}
	return s.endOrExtend(ctx, "bury", l, "")
}

// Extend implements state.Queue.
func (s *Store) Extend(ctx context.Context, l state.Lease, another time.Duration) (state.Lease, error) {
	if another <= 0 {
		return l, fmt.Errorf("%w: a lease of %s", state.ErrInvalid, another)
	}
	asked := time.Now()
	if err := s.endOrExtend(ctx, "extend", l, spanMillis(another)); err != nil {
		return l, err
	}
	l.Until = until(asked, another)
	return l, nil
}
