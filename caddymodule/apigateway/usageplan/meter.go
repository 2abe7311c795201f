package usageplan

import (
	"context"
	"sync"
	"time"

	"github.com/hearthfn/hearth/warmpool/state"
)

const (
	// minPace and maxPace bound the units that a node draws at a time. A client that uses them up
	// within quickly gets twice as many the next time, and one that needs longer than slowly half
	// as many: a draw waits for a disk or a network.
	minPace = 128
	maxPace = 1 << 16
	quickly = 2 * time.Second
	slowly  = time.Minute
	// share is the part of the units that are left which a node draws at most.
	share = 64
	// drawWithin bounds a draw.
	drawWithin = 5 * time.Second
	// drawPause is the time between two draws when nothing was left, or the counters could not
	// be reached.
	drawPause = time.Second
)

// A meter counts the requests of a client for its quota.
type meter struct {
	config *Config
	name   string          // of the counters, without the period
	ctx    context.Context // of the draws; giveBack cancels it
	cancel context.CancelFunc
	draws  sync.WaitGroup

	mu      sync.Mutex    // guards what follows
	begin   time.Time     // of the period that is counted
	end     time.Time     // likewise
	left    int64         // units that were drawn and not used
	owed    int64         // units that were used while the counters could not be reached
	away    bool          // they cannot
	block   int64         // how many units the next draw asks for
	pace    int64         // how many it asks for at most
	drawn   time.Time     // when the last draw began
	waiting int64         // requests that wait for the next draw
	drawing chan struct{} // closed when the draw that runs has ended; nil: none runs
	retry   time.Time     // no draw before
	closed  bool
}

func newMeter(c *Config, key string) *meter {
	m := &meter{config: c, name: "usage/" + c.ID + "/" + key + "/"}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m
}

// take uses one unit. false: none is left.
func (m *meter) take() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		now := m.config.Now()
		m.turn(now)
		switch {
		case m.left > 0:
			m.left--
			if m.left < m.block/2 {
				m.draw(now)
			}
			return true
		case m.away || m.closed:
			m.owed++
			m.draw(now)
			return true
		}
		m.waiting++
		drawn := m.draw(now)
		if drawn == nil {
			m.waiting--
			return false
		}
		m.mu.Unlock()
		<-drawn // no longer than drawWithin
		m.mu.Lock()
		m.waiting--
	}
}

// turn begins another period if the last one is over. m.mu is held.
func (m *meter) turn(now time.Time) {
	if now.Before(m.end) && !now.Before(m.begin) {
		return
	}
	m.begin, m.end = m.config.Period.at(now)
	m.left, m.owed, m.retry = 0, 0, time.Time{}
	m.pace = max(m.pace, minPace)
	m.size(m.limit())
}

// limit is the quota of the period that is counted. m.mu is held.
func (m *meter) limit() int64 {
	if at := m.config.Begun; m.config.Offset > 0 && !at.Before(m.begin) && at.Before(m.end) {
		return m.config.Quota - m.config.Offset
	}
	return m.config.Quota
}

// size sets how many units are drawn at a time when so many are left. m.mu is held.
func (m *meter) size(left int64) { m.block = max(1, min(left/share, m.pace)) }

// draw begins a draw unless the last one has found nothing a moment ago. It returns what is
// closed at the end of the draw that runs, nil if none does. m.mu is held.
func (m *meter) draw(now time.Time) chan struct{} {
	if m.drawing != nil {
		return m.drawing
	}
	if m.closed || now.Before(m.retry) {
		return nil
	}
	switch since := now.Sub(m.drawn); {
	case since < quickly:
		m.pace = min(2*m.pace, maxPace)
	case since > slowly:
		m.pace = max(m.pace/2, minPace)
	}
	m.drawn = now
	done := make(chan struct{})
	m.drawing = done
	owed, begin := m.owed, m.begin
	d := m.of(m.block + owed + m.waiting)
	m.draws.Go(func() {
		ctx, cancel := context.WithTimeout(m.ctx, drawWithin)
		defer cancel()
		got, total, err := m.config.Counters.Draw(ctx, d)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.drawing = nil
		close(done)
		m.away = err != nil
		switch {
		case !m.begin.Equal(begin): // what was drawn is of a period that is over
		case err != nil:
			m.retry = m.config.Now().Add(drawPause)
		default:
			m.left += max(0, got-owed)
			m.owed -= owed // more than the quota is forgiven
			m.size(d.Limit - total)
			if got < d.Count {
				m.retry = m.config.Now().Add(drawPause)
			}
		}
	})
	return done
}

// of is a draw in the period that is counted.
func (m *meter) of(count int64) state.Draw {
	return state.Draw{Name: m.name + m.begin.Format(time.DateOnly), Count: count, Limit: m.limit(), Until: m.end}
}

// stop ends draws.
func (m *meter) stop() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
}

// giveBack gives back what was drawn and not used, or draws what is owed, after stop.
func (m *meter) giveBack(ctx context.Context) {
	m.draws.Wait()
	m.cancel()
	m.mu.Lock()
	d := m.of(m.owed - m.left)
	m.left, m.owed = 0, 0
	over := !m.config.Now().Before(m.end)
	m.mu.Unlock()
	if d.Count != 0 && !over {
		_, _, _ = m.config.Counters.Draw(ctx, d) // units that are lost are as good as used
	}
}
