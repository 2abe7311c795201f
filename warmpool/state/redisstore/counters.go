package redisstore

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/hearthfn/hearth/warmpool/state"
)

// draw takes units of a counter, or gives some back.
//
//	KEYS    counter
//	ARGV    count, limit, until
//	Output  change, total
var draw = redis.NewScript(`
local total = tonumber(redis.call('GET', KEYS[1]) or '0')
local got, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
if got < 0 then
	got = math.max(got, -total)
else
	got = math.max(math.min(got, limit - total), 0)
end
if got ~= 0 then
	redis.call('INCRBY', KEYS[1], string.format('%d', got))
	redis.call('PEXPIREAT', KEYS[1], ARGV[3])
end
return {got, total + got}`)

// Draw implements state.Counters.
func (s *Store) Draw(ctx context.Context, d state.Draw) (got, total int64, err error) {
	if err := state.CheckDraw(d); err != nil {
		return 0, 0, err
	}
	out, err := draw.Run(ctx, s.client, []string{s.key(d.Name, "c")}, d.Count, d.Limit, d.Until.UnixMilli()).Int64Slice()
	if err != nil {
		return 0, 0, s.explain(err)
	}
	return out[0], out[1], nil
}

var _ state.Counters = (*Store)(nil)
