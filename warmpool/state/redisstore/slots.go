package redisstore

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hearthfn/hearth/warmpool/state"
)

// taken is Lua that sums up the grants that last in taken, and drops the others.
const taken = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local taken = 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
	local count, till = string.match(all[i+1], '^(%d+)|(%d+)$')
	if tonumber(till) > now then
		taken = taken + tonumber(count)
	else
		redis.call('HDEL', KEYS[1], all[i])
	end
end
`

// take grants slots.
//
//	KEYS    grants, the last token
//	ARGV    limit, count, milliseconds
//	Output  count, token, until
var take = redis.NewScript(taken + `
local count = math.min(tonumber(ARGV[2]), tonumber(ARGV[1]) - taken)
if count <= 0 then return {0, 0, now} end
local token, till = redis.call('INCR', KEYS[2]), now + tonumber(ARGV[3])
redis.call('HSET', KEYS[1], token, count .. '|' .. till)
return {count, token, till}`)

// renew holds a grant longer, and gives back what it does not need.
//
//	KEYS    grants
//	ARGV    token, count, milliseconds; count 0 returns the grant
//	Output  count, until; count -1 if the grant has ended
var renew = redis.NewScript(taken + `
local held = redis.call('HGET', KEYS[1], ARGV[1])
if not held then return {-1, now} end
local count = math.min(tonumber(ARGV[2]), tonumber(string.match(held, '^(%d+)')))
if count == 0 then
	redis.call('HDEL', KEYS[1], ARGV[1])
	return {0, now}
end
local till = now + tonumber(ARGV[3])
redis.call('HSET', KEYS[1], ARGV[1], count .. '|' .. till)
return {count, till}`)

// sum counts the slots that are held.
//
//	KEYS    grants
//	Output  their number
var sum = redis.NewScript(taken + `return taken`)

// Take implements state.Slots.
func (s *Store) Take(ctx context.Context, claim state.Claim) (state.Grant, error) {
	if err := state.CheckClaim(claim); err != nil {
		return state.Grant{}, err
	}
	asked := time.Now()
	got, err := take.Run(ctx, s.client, []string{s.key(claim.Name, "g"), s.key(claim.Name, "k")}, claim.Limit, claim.Count, spanMillis(claim.For)).Int64Slice()
	if err != nil {
		return state.Grant{}, s.explain(err)
	}
	return state.Grant{Name: claim.Name, Count: int(got[0]), Token: got[1], Until: until(asked, claim.For)}, nil
}

// until is when something ends that was asked for at a time by this machine's clock:
// the server counts from later on, so the holder stops first.
func until(asked time.Time, span time.Duration) time.Time { return asked.Add(span) }

func spanMillis(d time.Duration) int64 { return max(int64(d/time.Millisecond), 1) }

// Renew implements state.Slots.
func (s *Store) Renew(ctx context.Context, grant state.Grant, count int, another time.Duration) (state.Grant, error) {
	if err := state.CheckRenewal(grant, count, another); err != nil {
		return grant, err
	}
	asked := time.Now()
	n, err := s.renew(ctx, grant, count, another)
	if err != nil {
		return grant, err
	}
	grant.Count, grant.Until = n, until(asked, another)
	return grant, nil
}

// Return implements state.Slots.
func (s *Store) Return(ctx context.Context, grant state.Grant) error {
	if err := state.CheckOwner(grant.Name); err != nil {
		return err
	}
	_, err := s.renew(ctx, grant, 0, 0)
	return err
}

func (s *Store) renew(ctx context.Context, grant state.Grant, count int, another time.Duration) (int, error) {
	got, err := renew.Run(ctx, s.client, []string{s.key(grant.Name, "g")}, grant.Token, count, spanMillis(another)).Int64Slice()
	if err != nil {
		return 0, s.explain(err)
	}
	if got[0] < 0 {
		return 0, fmt.Errorf("slots of %q: %w", grant.Name, state.ErrLeaseLost)
	}
	return int(got[0]), nil
}

// Taken implements state.Slots.
func (s *Store) Taken(ctx context.Context, name string) (int, error) {
	if err := state.CheckOwner(name); err != nil {
		return 0, err
	}
	n, err := sum.Run(ctx, s.client, []string{s.key(name, "g")}).Int()
	return n, s.explain(err)
}
