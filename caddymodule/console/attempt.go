package console

import (
	"net/netip"
	"time"
)

// Bounds of wrong keys.
const (
	maxWrong    = 10          // from one address
	wrongTime   = time.Minute // in this time
	maxAttempts = 4096        // addresses that are counted; of more, the oldest is forgotten
)

// attempts count wrong access keys by the address that they come from.
type attempts map[netip.Prefix]*attempt

type attempt struct {
	begun time.Time
	wrong int
}

// origin is what one client has: an address of IPv4, or the /64 of one of IPv6. All addresses
// that cannot be parsed have the same.
func origin(client string) netip.Prefix {
	address, err := netip.ParseAddr(client)
	if err != nil {
		return netip.Prefix{}
	}
	address = address.Unmap().WithZone("")
	bits := 64
	if address.Is4() {
		bits = 32
	}
	p, _ := address.Prefix(bits) // the bits fit
	return p
}

// wait is how long a client must wait before it may try a key again, 0 if it need not.
func (s *Sessions) wait(client string, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.attempts[origin(client)]
	if a == nil || a.wrong < maxWrong {
		return 0
	}
	return max(0, wrongTime-now.Sub(a.begun))
}

// failed counts a wrong key.
func (s *Sessions) failed(client string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.attempts == nil {
		s.attempts = make(attempts)
	}
	from := origin(client)
	if a := s.attempts[from]; a != nil && now.Sub(a.begun) < wrongTime {
		a.wrong++
		return
	}
	if len(s.attempts) >= maxAttempts && s.attempts[from] == nil {
		s.attempts.forget(now)
	}
	s.attempts[from] = &attempt{begun: now, wrong: 1}
}

// forget removes what is over, and at least the oldest.
func (a attempts) forget(now time.Time) {
	var oldest netip.Prefix
	for from, one := range a {
		if now.Sub(one.begun) >= wrongTime {
			delete(a, from)
		} else if first := a[oldest]; first == nil || one.begun.Before(first.begun) {
			oldest = from
		}
	}
	if len(a) >= maxAttempts {
		delete(a, oldest)
	}
}
