package scaling

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"
)

// Target tracking: AWS judges averages over a minute by two alarms for each policy. The high
// one asks for more when the use was above the target for three minutes, the low one for less
// when it was below nine tenths of it for fifteen.
// https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-target-tracking.html
const (
	highMinutes = 3
	lowMinutes  = 15
	lowPart     = 0.9
)

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

// track samples the calls of a resource, says at the end of a minute what this node had, and
// judges the minute if no other node did.
func (s *Scaler) track(ctx context.Context, functions Functions, r Resource, t *target, now time.Time) error {
	var told error
	if minute := minuteOf(now); t.minute != minute {
		if t.samples > 0 {
			told = s.tell(ctx, r, Usage{t.minute, float64(t.calls) / float64(t.samples)})
		}
		t.minute, t.samples, t.calls = minute, 0, 0
	}
	t.samples++
	t.calls += functions.Calls(ctx, r)
	if told != nil {
		return told
	}
	last := minuteOf(now.Add(-judgeAfter)) - 1
	if t.Minute >= last || len(t.Usage) == 0 {
		return nil
	}
	return s.judge(ctx, functions, r, last, now)
}

// tell writes what this node had.
func (s *Scaler) tell(ctx context.Context, r Resource, had Usage) error {
	err := s.Store.Change(ctx, r, func(d *Document) (*Document, error) {
		if d == nil {
			return nil, ErrNothing
		}
		if d.Usage == nil {
			d.Usage = make(map[string]Usage)
		}
		d.Usage[s.Node] = had
		return d, nil
	})
	if errors.Is(err, ErrNothing) {
		return nil
	}
	return err
}

// judge adds a minute to those that were seen, and does what the policies say. One node does
// that for each minute: the one whose write comes first.
func (s *Scaler) judge(ctx context.Context, functions Functions, r Resource, minute int64, now time.Time) error {
	have, err := functions.Provisioned(ctx, r)
	if err != nil {
		return err
	}
	var want int
	var by string
	err = s.Store.Change(ctx, r, func(d *Document) (*Document, error) {
		if d == nil || d.Minute >= minute {
			return nil, ErrNothing
		}
		calls, said := 0.0, false
		for node, u := range d.Usage {
			switch {
			case u.Minute == minute:
				calls, said = calls+u.Calls, true
			case u.Minute < minute-lowMinutes:
				delete(d.Usage, node) // it is not there any more
			}
		}
		if d.Minute != minute-1 || !said || have == 0 {
			d.Used = nil // a gap: there are not so many minutes in a row
		}
		d.Minute = minute
		if said && have > 0 {
			d.Used = append(d.Used, min(1, calls/float64(have)))
			d.Used = d.Used[max(0, len(d.Used)-lowMinutes):]
		}
		want, by = d.desired(have, now)
		return d, nil
	})
	if errors.Is(err, ErrNothing) {
		s.read(r)
		return nil
	}
	if err != nil {
		return err
	}
	s.read(r)
	if want == have {
		return nil
	}
	return s.provision(ctx, functions, r, want, "monitor alarm of policy "+by+" was triggered", func(d *Document) {
		p := d.Policy(by)
		switch {
		case p == nil:
		case want > have:
			p.LastOut = now
		default:
			p.LastIn = now
			d.Used = nil
		}
	})
}

// desired is the capacity that the policies ask for, and the name of the policy that does. Of
// several the one that asks for most counts, and all have to agree on less.
func (d *Document) desired(have int, now time.Time) (want int, by string) {
	if have == 0 {
		return 0, ""
	}
	less := have
	agreed := len(d.Policies) > 0
	want = have
	for _, p := range d.Policies {
		n, over := p.desired(d.Used, have, now)
		if over {
			if n > want {
				want, by = n, p.Name
			}
			agreed = false
			continue
		}
		if n == have {
			agreed = false
		} else if less == have || n > less {
			less, by = n, p.Name
		}
	}
	if want > have {
		if want = min(want, d.Max); d.OutSuspended || want <= have {
			return have, ""
		}
		return want, by
	}
	if less = max(less, d.Min); !agreed || d.InSuspended || less >= have {
		return have, ""
	}
	return less, by
}

// desired is the capacity that a policy asks for after these minutes, and whether the use is
// above its target.
func (p *Policy) desired(used []float64, have int, now time.Time) (n int, over bool) {
	all := func(minutes int, is func(float64) bool) bool {
		return len(used) >= minutes && !slices.ContainsFunc(used[len(used)-minutes:], func(u float64) bool { return !is(u) })
	}
	// A hair less, so that 7 of 10 at a target of 0.7 are not 8 because of rounding.
	needed := func() int { return int(math.Ceil(float64(have)*used[len(used)-1]/p.Value - 1e-9)) }
	cool := func(last time.Time, seconds int) bool {
		return now.Sub(last) >= time.Duration(seconds)*time.Second
	}
	switch {
	case all(highMinutes, func(u float64) bool { return u > p.Value }):
		if !cool(p.LastOut, p.OutCooldown) {
			return have, true
		}
		return max(needed(), have), true
	case !p.DisableScaleIn && all(lowMinutes, func(u float64) bool { return u < lowPart*p.Value }) &&
		cool(p.LastIn, p.InCooldown) && cool(p.LastOut, p.InCooldown):
		return min(needed(), have), false
	}
	return have, false
}
