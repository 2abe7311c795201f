package warmpool

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/backoff"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function"
)

// A StemKind has the properties that a runtime process cannot change after its start. A stem
// can become the environment of any function of its kind.
type StemKind struct {
	Family      string // of the runtime, e.g. "nodejs"
	Interpreter string // path of the program
	SDK         string // folder with the AWS SDK; "" for none
	Preloaded   bool   // modules of the SDK are imported
	MemoryMB    int    // set if the program takes it as an argument, else 0
	Large       bool   // it has loaded what large functions load, too
	Network     function.Network
}

// A Stem is a booted, sandboxed process that has no function yet.
type Stem struct {
	Kind StemKind
	*environment.Stem

	memoryMB int // as reserved
}

// stemNeed is how much of a node a stem takes.
func stemNeed(memoryMB int) need {
	return need{memoryMB: memoryMB, descriptors: environmentDescriptors}
}

func (s *Stem) takes() need { return stemNeed(s.memoryMB) }

// A stock is the stems of one kind.
type stock struct {
	ready     []*Stem // the oldest first
	booting   bool
	functions int       // functions of the configuration that could use them
	demand    float64   // cold starts lately, as of at
	burst     float64   // the most of demand that is still remembered, as of at
	at        time.Time // zero: never
	spare     int       // stems that there may be whatever the demand, see provide
	memoryMB  int       // of one stem, as far as known
	failures  int       // in a row
	retryAt   time.Time
}

// urgent reports whether a stem is booted though there has just been a cold start.
func (s *stock) urgent(want int) bool { return len(s.ready) <= want/fewStems }

const (
	// demandTime is the time in which the weight of a cold start falls to 1/e.
	demandTime = 30 * time.Second
	// burstTime is the time in which the memory of a burst of cold starts falls to 1/e. Stems
	// for the next burst cost memory that a function can have at once (giveUp), and one boot
	// each, which a cold start has paid for.
	burstTime = 10 * time.Minute
	// refillPause is how long after a cold start no stem is booted, unless few are left: the
	// callers of a burst need the cores.
	refillPause = 300 * time.Millisecond
	// urgentPause is that pause where few are left: the calls that have waited for the starts run first.
	urgentPause = 30 * time.Millisecond
	// fewStems is the part of the wanted stems that are few.
	fewStems = 4
	// defaultStems bounds the stems of a kind where the memory budget does not.
	defaultStems = 64
	// stemShare is the part of the memory budget and of the descriptors that stems may take.
	stemShare = 8
	// spareShare is the part of the memory budget that spare stems take.
	spareShare = 16
	// spareQuiet is how long no call must have run before a spare stem is booted.
	spareQuiet = time.Second
	// guessedStemMB is the assumed memory of a stem before one has been measured.
	guessedStemMB = 32
	// BootTimeout bounds the boot of a stem. It takes a fraction of a second where cores are idle,
	// and some seconds beside functions that use all of them.
	BootTimeout = 30 * time.Second
)

// want is how many stems there should be: one, and one more for each cold start of the last
// half minute, or of a burst of the last minutes if that was larger; or the spare ones.
func (s *stock) want(now time.Time, limit int) int {
	if s.functions == 0 || limit <= 0 {
		return 0
	}
	return min(max(1+int(math.Ceil(max(s.demandAt(now), s.burstAt(now))-0.5)), s.spare), limit)
}

func (s *stock) burstAt(now time.Time) float64 {
	if s.at.IsZero() {
		return 0
	}
	return s.burst * math.Exp(-float64(now.Sub(s.at))/float64(burstTime))
}

// count counts a cold start.
func (s *stock) count(now time.Time) {
	demand := s.demandAt(now) + 1
	s.demand, s.burst, s.at = demand, max(demand, s.burstAt(now)), now
}

func (s *stock) demandAt(now time.Time) float64 {
	if s.at.IsZero() {
		return 0
	}
	return s.demand * math.Exp(-float64(now.Sub(s.at))/float64(demandTime))
}

// stems boots processes ahead of the cold starts that will take them. It boots one at a time,
// with a small share of the CPU, and none while starts that callers wait for use the cores. While
// one cold start follows the other, it boots none before few are left.
type stems struct {
	pool *Pool

	mu      sync.Mutex // guards what follows
	stocks  map[StemKind]*stock
	taken   time.Time   // when a cold start wanted a stem last
	later   *time.Timer // refills when the pause after that is over, at laterAt; nil: there is none
	laterAt time.Time
	putOff  time.Time // since when stems are missing and none is booted because of cold starts; zero: none is missing
	busy    time.Time // when calls ran last, as far as seen
	closed  bool
}

func (s *stems) stock(kind StemKind) *stock {
	k := s.stocks[kind]
	if k == nil {
		k = &stock{memoryMB: guessedStemMB}
		s.stocks[kind] = k
	}
	return k
}

// expect counts n more functions of a kind.
func (s *stems) expect(kind StemKind, n int) {
	s.mu.Lock()
	s.stock(kind).functions += n
	s.mu.Unlock()
	if n > 0 {
		s.refill()
	}
}

// take returns a stem, or nil when none is ready. Either way the cold start
// counts.
func (s *stems) take(kind StemKind) *Stem {
	now := time.Now()
	s.mu.Lock()
	k := s.stock(kind)
	k.count(now)
	s.taken = now
	var stem *Stem
	if len(k.ready) > 0 {
		stem = k.ready[0]
		k.ready = k.ready[1:]
	}
	s.mu.Unlock()
	if stem != nil {
		s.pool.unreserveStem(stem.takes())
	}
	return stem
}

// refill boots the stem that is missing most, if one is, none is being booted, and the starts
// that callers wait for leave a core. A start that ends tries again, and so does the janitor.
func (s *stems) refill() {
	if s.pool.turns.taken() {
		return
	}
	limit := s.pool.settings.Load().Stems
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.pool.ctx.Err() != nil {
		return
	}
	var neediest StemKind
	var most float64
	for kind, k := range s.stocks {
		if k.booting {
			return
		}
		want := k.want(now, limit)
		missing := want - len(k.ready)
		if missing <= 0 || now.Before(k.retryAt) {
			continue
		}
		if pause := s.pause(k.urgent(want), now); pause > 0 {
			if s.putOff.IsZero() {
				s.putOff = now
			}
			s.refillAfter(pause)
			continue
		}
		// Of kinds that miss the same number, the one with more functions comes first.
		need := float64(missing) + 1 - 1/float64(1+k.functions)
		if need > most {
			neediest, most = kind, need
		}
	}
	if most == 0 {
		return
	}
	k := s.stocks[neediest]
	memoryMB := k.memoryMB
	if !s.pool.reserveStem(stemNeed(memoryMB)) {
		return // the janitor tries again
	}
	k.booting, s.putOff = true, time.Time{}
	s.pool.tasks.Go(func() { s.boot(neediest, memoryMB) })
}

// pause is for how long no stem is booted yet, because there has just been a cold start. It needs mu.
func (s *stems) pause(urgent bool, now time.Time) time.Duration {
	switch {
	case !urgent:
		return refillPause - now.Sub(s.taken)
	case !s.putOff.IsZero() && now.Sub(s.putOff) > refillPause:
		return 0 // or cold starts that follow each other closely would get no stems
	}
	return urgentPause - now.Sub(s.taken)
}

// refillAfter refills after a time, or sooner if that has been said before. It needs mu.
func (s *stems) refillAfter(pause time.Duration) {
	at := time.Now().Add(pause)
	if s.later != nil && !at.Before(s.laterAt) {
		return
	}
	if s.later != nil {
		s.later.Stop()
	}
	s.laterAt = at
	s.later = time.AfterFunc(pause, func() {
		s.mu.Lock()
		s.later = nil
		s.mu.Unlock()
		s.refill()
	})
}

func (s *stems) boot(kind StemKind, memoryMB int) {
	p := s.pool
	var stem *Stem
	booted := make(chan struct{}) // stem is set
	stem, err := p.starter.Boot(p.ctx, kind, func() {
		<-booted
		s.lost(stem)
	})
	now := time.Now()
	s.mu.Lock()
	k := s.stocks[kind]
	k.booting = false
	if err != nil {
		k.failures++
		k.retryAt = now.Add(backoff.Backoff{First: time.Second, Most: time.Minute}.After(k.failures))
	} else {
		k.failures = 0
		stem.memoryMB = memoryMB
		k.memoryMB = max(1, int(stem.Memory()>>20))
		if s.closed {
			err = context.Canceled
		} else {
			k.ready = append(k.ready, stem)
		}
	}
	s.mu.Unlock()
	close(booted)
	switch {
	case err == nil:
		s.refill()
		return
	case stem != nil:
		stem.Close()
	case p.ctx.Err() == nil:
		p.log.Error("no process booted ahead of cold starts", zap.String("runtime", kind.Family), zap.Error(err))
	}
	p.unreserveStem(stemNeed(memoryMB))
}

// lost removes a stem that has ended by itself.
func (s *stems) lost(stem *Stem) {
	if stem == nil {
		return
	}
	s.mu.Lock()
	found := false
	if k := s.stocks[stem.Kind]; k != nil { // else it has been discarded with its stock
		if i := slices.Index(k.ready, stem); i >= 0 {
			k.ready = slices.Delete(slices.Clone(k.ready), i, i+1)
			k.retryAt = time.Now().Add(time.Second) // else each new stem could end the same way at once
			found = true
		}
	}
	s.mu.Unlock()
	if found {
		s.pool.unreserveStem(stem.takes())
	}
}

// provide lets one stock have one stem more, for a first burst, if memory is plenty and no call
// runs. It is called once in a second.
func (s *stems) provide(now time.Time) {
	limit, roomMB := s.pool.settings.Load().Stems, s.pool.totalMB()/spareShare
	s.mu.Lock()
	defer s.mu.Unlock()
	kinds := 0
	for _, k := range s.stocks {
		kinds += min(k.functions, 1)
	}
	var next *stock
	for _, k := range s.stocks {
		if k.functions == 0 {
			continue
		}
		most := min(roomMB/kinds/k.memoryMB, limit)
		k.spare = min(k.spare, most)
		if len(k.ready) == k.want(now, limit) && len(k.ready) < most && (next == nil || len(k.ready) < len(next.ready)) {
			next = k
		}
	}
	if s.pool.busy.Load() > 0 {
		s.busy = now
	}
	if next != nil && now.Sub(s.busy) >= spareQuiet && now.Sub(s.taken) >= spareQuiet {
		next.spare = len(next.ready) + 1
	}
}

// trim closes the stems that are not wanted any more, and refills.
func (s *stems) trim(now time.Time) {
	s.provide(now)
	limit := s.pool.settings.Load().Stems
	var spare []*Stem
	s.mu.Lock()
	for kind, k := range s.stocks {
		over := len(k.ready) - k.want(now, limit)
		if over > 0 {
			spare = append(spare, k.ready[:over]...)
			k.ready = append([]*Stem(nil), k.ready[over:]...)
		}
		if k.functions == 0 && len(k.ready) == 0 && !k.booting {
			delete(s.stocks, kind)
		}
	}
	s.mu.Unlock()
	s.discard(spare)
	s.refill()
}

// giveUp closes one stem to free its memory for a function. It reports whether there was one.
func (s *stems) giveUp() bool {
	s.mu.Lock()
	var fullest *stock
	for _, k := range s.stocks {
		if len(k.ready) > 0 && (fullest == nil || len(k.ready) > len(fullest.ready)) {
			fullest = k
		}
	}
	if fullest == nil {
		s.mu.Unlock()
		return false
	}
	stem := fullest.ready[0]
	fullest.ready = fullest.ready[1:]
	fullest.retryAt, fullest.spare = time.Now().Add(demandTime), 0 // or it would be taken again at once
	s.mu.Unlock()
	s.discard([]*Stem{stem})
	return true
}

func (s *stems) discard(spare []*Stem) {
	for _, stem := range spare {
		stem.Close()
		s.pool.unreserveStem(stem.takes())
	}
}

// close ends all stems. A stem that is being booted ends by itself.
func (s *stems) close() {
	s.mu.Lock()
	s.closed = true
	if s.later != nil {
		s.later.Stop()
	}
	var all []*Stem
	for _, k := range s.stocks {
		all = append(all, k.ready...)
		k.ready = nil
	}
	s.mu.Unlock()
	s.discard(all)
}

// A stemStat counts stems of one runtime.
type stemStat struct{ ready, booting int }

func (s *stems) stat() map[string]stemStat {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := make(map[string]stemStat)
	for kind, k := range s.stocks {
		stat := stats[kind.Family]
		stat.ready += len(k.ready)
		if k.booting {
			stat.booting++
		}
		stats[kind.Family] = stat
	}
	return stats
}
