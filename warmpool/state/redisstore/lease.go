package redisstore

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/state"
)

// candidates reads the index.
//
//	KEYS    due, generations
//	ARGV    how many groups at most
//	Output  now, the first time after now or '', then group, generation ...
var candidates = redis.NewScript(clock + `
local later = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
local out = {string.format('%.0f', now), later[2] or ''}
for _, group in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])) do
	out[#out+1] = group
	out[#out+1] = redis.call('HGET', KEYS[2], group) or '0'
end
return out`)

// lease hands out entries of one group.
//
//	KEYS    due, leased, meta, bodies, last token
//	ARGV    how many at most, milliseconds
//	Output  when there may be more, or '', then for each entry: ID, meta, body
var lease = redis.NewScript(clock + `
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 1000)) do
	local at = string.match(redis.call('HGET', KEYS[3], id), '^(%-?%d+)|')
	redis.call('ZREM', KEYS[2], id)
	redis.call('ZADD', KEYS[1], at, id)
end
local out = {''}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])) do
	local at, pushed, attempts, note = string.match(redis.call('HGET', KEYS[3], id), '^(%-?%d+)|(%d+)|(%d+)|%d+|(.*)$')
	local meta = at .. '|' .. pushed .. '|' .. attempts .. '|' .. redis.call('INCR', KEYS[5]) .. '|' .. note
	redis.call('HSET', KEYS[3], id, meta)
	redis.call('ZREM', KEYS[1], id)
	redis.call('ZADD', KEYS[2], now + tonumber(ARGV[2]), id)
	out[#out+1] = id
	out[#out+1] = meta
	out[#out+1] = redis.call('HGET', KEYS[4], id)
end
local due = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
local ends = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2]
if ends then ends = string.format('%.0f', ends - 5) end -- the holder's clock began before ours
if due and (not ends or tonumber(due) <= tonumber(ends)) then out[1] = due elseif ends then out[1] = ends end
return out`)

// found has the index know when groups may have more, unless they got something since.
//
//	KEYS    due, generations
//	ARGV    for each group: group, generation, when or ''
var found = redis.NewScript(`
for i = 1, #ARGV, 3 do
	if (redis.call('HGET', KEYS[2], ARGV[i]) or '0') == ARGV[i+1] then
		if ARGV[i+2] == '' then
			redis.call('ZREM', KEYS[1], ARGV[i])
		else
			redis.call('ZADD', KEYS[1], ARGV[i+2], ARGV[i])
		end
	end
end`)

const leaseWithin = 3 * time.Second

// maxCandidates is how many groups a lease looks at.
const maxCandidates = 256

// A candidate is a group that may have something.
type candidate struct {
	group      string
	generation string
	leased     int
	next       string // as the script says
	empty      bool
}

// Lease implements state.Queue.
func (s *Store) Lease(ctx context.Context, want state.Want) (leases []state.Lease, next time.Time, err error) {
	if err := state.CheckWant(want); err != nil {
		return nil, next, err
	}
	// If the answer to a lease does not arrive in time, nobody has that lease until it ends.
	// So the caller must not ask again and again while the server does not answer.
	ctx, cancel := context.WithTimeout(ctx, leaseWithin)
	defer cancel()
	index, err := candidates.Run(ctx, s.client, s.index()[:2], maxCandidates+len(want.Except)).StringSlice()
	if err != nil {
		return nil, next, s.explain(err)
	}
	next = timeOf(index[1])
	var groups []*candidate
	for i := 2; i+1 < len(index); i += 2 {
		if !slices.Contains(want.Except, index[i]) {
			groups = append(groups, &candidate{group: index[i], generation: index[i+1]})
		}
	}
	s.inTurn(groups)
	asked := time.Now()
	left := want.Max
	for left > 0 {
		// Each group that has more gets the same, and some nothing if there is not enough.
		var open []*candidate
		for _, c := range groups {
			if !c.empty && (want.PerGroup == 0 || c.leased < want.PerGroup) {
				open = append(open, c)
			}
		}
		if len(open) == 0 {
			break
		}
		open = open[:min(len(open), left)]
		quantum := max(left/len(open), 1)
		got, err := s.leaseOf(ctx, open, quantum, want, asked)
		leases = append(leases, got...)
		if err != nil {
			return leases, next, errors.Join(err, s.returnLeases(leases))
		}
		left -= len(got)
	}
	if len(groups) > 0 {
		next = s.indexFound(ctx, groups, next, left == 0)
	}
	return leases, next, nil
}

// inTurn puts the groups first that got nothing for longest.
func (s *Store) inTurn(groups []*candidate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortStableFunc(groups, func(a, b *candidate) int { return cmp.Compare(s.served[a.group], s.served[b.group]) })
}

// leaseOf leases up to share entries of each group.
func (s *Store) leaseOf(ctx context.Context, groups []*candidate, quantum int, want state.Want, asked time.Time) (leases []state.Lease, err error) {
	pipe := s.client.Pipeline()
	commands := make([]*redis.Cmd, len(groups))
	counts := make([]int, len(groups))
	keys := func(group string) []string {
		return []string{s.key(group, "d"), s.key(group, "l"), s.key(group, "m"), s.key(group, "b"), s.key(group, "t")}
	}
	for i, c := range groups {
		counts[i] = quantum
		if want.PerGroup > 0 {
			counts[i] = min(quantum, want.PerGroup-c.leased)
		}
		commands[i] = lease.EvalSha(ctx, pipe, keys(c.group), counts[i], spanMillis(want.For))
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	for i, c := range groups {
		answer, failed := commands[i].StringSlice()
		if failed != nil && redis.HasErrorPrefix(failed, "NOSCRIPT") {
			answer, failed = lease.Run(ctx, s.client, keys(c.group), counts[i], spanMillis(want.For)).StringSlice()
		}
		if failed != nil {
			err = errors.Join(err, s.explain(failed))
			continue
		}
		c.next = answer[0]
		n := 0
		for j := 1; j+2 < len(answer); j += 3 {
			leases = append(leases, state.Lease{Entry: entryOf(c.group, answer[j], answer[j+1], answer[j+2]), Token: tokenOf(answer[j+1]), Until: until(asked, want.For)})
			n++
		}
		c.leased += n
		c.empty = n < counts[i]
		if n > 0 {
			s.mu.Lock()
			s.turn++
			if len(s.served) >= maxKnown {
				clear(s.served)
			}
			s.served[c.group] = s.turn
			s.mu.Unlock()
		}
	}
	return leases, err
}

// indexFound brings the index up to date, and returns when there may be more.
func (s *Store) indexFound(ctx context.Context, groups []*candidate, next time.Time, cut bool) time.Time {
	var args []any
	for _, c := range groups {
		if c.leased == 0 && !c.empty {
			continue // it was not asked
		}
		args = append(args, c.group, c.generation, c.next)
		if at := timeOf(c.next); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	if len(args) > 0 {
		if err := found.Run(ctx, s.client, s.index()[:2], args...).Err(); err != nil && !errors.Is(err, redis.Nil) {
			// It names more groups than have something: they are asked in vain.
			s.log.Debug("the index of groups is behind", zap.Error(err))
		}
	}
	if cut {
		return time.Now()
	}
	return next
}

// returnLeases undoes leases that the caller will not hear of.
func (s *Store) returnLeases(leases []state.Lease) error {
	ctx, cancel := context.WithTimeout(s.ctx, defaultTimeout)
	defer cancel()
	for _, l := range leases {
		if err := s.Retry(ctx, l); err != nil {
			return nil //nolint:nilerr // they end by their time
		}
	}
	return nil
}

// entryOf reads an entry as the scripts keep it.
func entryOf(group, id, meta, body string) state.Entry {
	parts := strings.SplitN(meta, "|", 5)
	if len(parts) != 5 {
		return state.Entry{Group: group, ID: id, Body: []byte(body)}
	}
	e := state.Entry{Group: group, ID: id, Body: []byte(body), At: timeOf(parts[0]), Pushed: timeOf(parts[1])}
	e.Attempts, _ = strconv.Atoi(parts[2])
	if parts[4] != "" {
		e.Note = []byte(parts[4])
	}
	return e
}

func tokenOf(meta string) int64 {
	parts := strings.SplitN(meta, "|", 5)
	if len(parts) != 5 {
		return 0
	}
	n, _ := strconv.ParseInt(parts[3], 10, 64)
	return n
}

// repairEvery is how often the index is compared with the groups.
const repairEvery = time.Minute

// repairAll finds groups that have something and are not in the index: a node died
// between its two steps.
func (s *Store) repairAll() {
	for {
		if err := s.repair(s.ctx); err != nil && s.ctx.Err() == nil {
			s.log.Warn("the index of groups could not be looked through", zap.Error(err))
		}
		select {
		case <-time.After(repairEvery + rand.N(repairEvery)/4): // not all nodes at once
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *Store) repair(ctx context.Context) error {
	index := s.index()
	return s.eachGroup(ctx, "", func(page []string) error {
		pipe := s.client.Pipeline()
		waits, scores := make([]*redis.ZSliceCmd, len(page)), make([]*redis.FloatCmd, len(page))
		for i, group := range page {
			waits[i] = pipe.ZRangeWithScores(ctx, s.key(group, "d"), 0, 0)
			scores[i] = pipe.ZScore(ctx, index[0], group)
		}
		if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		for i, group := range page {
			if first := waits[i].Val(); len(first) > 0 && (errors.Is(scores[i].Err(), redis.Nil) || scores[i].Val() > first[0].Score) {
				if err := s.announce(ctx, group, time.UnixMilli(int64(first[0].Score))); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// eachGroup visits all groups there ever were, in pages.
func (s *Store) eachGroup(ctx context.Context, after string, visit func(page []string) error) error {
	const size = 256
	for {
		from, to := between("", after)
		page, err := s.client.ZRangeByLex(ctx, s.index()[2], &redis.ZRangeBy{Min: from, Max: to, Count: size}).Result()
		if err != nil || len(page) == 0 {
			return err
		}
		if err := visit(page); err != nil {
			return err
		}
		if len(page) < size {
			return nil
		}
		after = page[len(page)-1]
	}
}
