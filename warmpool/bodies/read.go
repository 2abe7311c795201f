package bodies

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// Errors of Read besides ErrFull. Any other error of it means that the body ended too early
// or is malformed.
var (
	ErrTooLarge = errors.New("the body is too large")
	ErrSlow     = errors.New("the body came too slowly")
)

// A large body begins within firstPause and then comes at leastRate, or its memory would be
// lost to others.
const (
	firstPause = 30 * time.Second
	leastRate  = 32 << 10 // bytes per second
)

// An Intake says how bodies of one kind are read.
type Intake struct {
	// Most is the largest body, in bytes.
	Most int64
	// Weight is how many bytes are held for a part of the body, in thirds: 3 is the body
	// alone, 7 the event in base64 too.
	Weight int
	// Budget is the memory for bodies over Small; nil: it is not bounded.
	Budget *Budget
	// Rate is how quickly a body must come, in bytes per second, to keep its memory while
	// the budget is full; 0: it keeps it.
	Rate int64
	// Wait is how long a body waits for room.
	Wait time.Duration
}

// Read reads the whole body of r into the memory of into, and holds memory for it in s.
// When Read returns an error, s holds nothing. When it returns none, r has no body any more,
// by which Refuse sees that it was read.
//
// What a sender says about the length gets memory only when it has sent as much as a small
// body. A body without a length, and a very large one, gets memory in steps.
func (in Intake) Read(w http.ResponseWriter, r *http.Request, into []byte, s *Share) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return into[:0], nil
	}
	if r.ContentLength > in.Most {
		return nil, ErrTooLarge
	}
	into, err := in.read(w, r, into[:0], s)
	if err != nil {
		s.End() // before others see that it has left
	}
	switch cut := s.leave(in.Budget); {
	case cut, errors.Is(err, ErrFull):
		s.End()
		in.Budget.refused.Add(1)
		return nil, ErrFull
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, ErrSlow
	case err != nil:
		return nil, err
	}
	r.Body = http.NoBody
	return into, nil
}

func (in Intake) read(w http.ResponseWriter, r *http.Request, into []byte, s *Share) ([]byte, error) {
	p := pace{w: w, share: s}
	defer p.end()
	if r.ContentLength < 0 || r.ContentLength > Small {
		p.begin(r)
	}
	for {
		if len(into) == cap(into) {
			size := next(cap(into), r.ContentLength, in.Most)
			if size > Small && in.Budget != nil {
				s.join(in.Budget, w, in.Rate)
				// The old memory is there until the new has its content.
				hold := size/3*in.Weight + cap(into)
				if !s.holdNow(in.Budget, hold) && !in.makeRoom(r, s, &p, hold) {
					return into, ErrFull
				}
			}
			grown := make([]byte, len(into), size) // append would make it larger
			copy(grown, into)
			into = grown
			s.Keep(size / 3 * in.Weight)
		}
		n, err := r.Body.Read(into[len(into):cap(into)])
		into = into[:len(into)+n]
		switch {
		case int64(len(into)) > in.Most:
			return into, ErrTooLarge
		case err == io.EOF:
			return into, nil
		case err != nil:
			return into, err
		case int64(len(into)) != r.ContentLength: // else only the end is left to find
			p.came(r, len(into))
		}
	}
}

// makeRoom has slow bodies give way, or waits.
func (in Intake) makeRoom(r *http.Request, s *Share, p *pace, hold int) bool {
	p.end() // the sender cannot go on meanwhile
	resume := in.Budget.pause(s.arrival, in.Wait > 0 && s.n > 0)
	ok := s.wait(r.Context(), in.Budget, hold, in.Wait)
	p.resume(resume())
	return ok
}

// Steps of the memory for a body whose length is known.
const (
	first  = 4 << 10
	middle = 1 << 20
	large  = 8 << 20 // above the largest event
)

// next is the size behind size. One byte more than the body lets its end be found.
func next(size int, length, most int64) int {
	whole := int(most) + 1
	if length >= 0 {
		whole = int(min(length, most)) + 1
	}
	switch {
	case whole <= size:
		return size + 1
	case length < 0:
		return min(max(2*size, 512), whole)
	case whole <= first:
		return whole
	case size < first:
		return first
	case whole <= Small:
		return whole
	case size < Small:
		return Small
	case whole <= large || size >= large:
		return whole
	case size < middle:
		return middle
	}
	return large
}

// A pace is the time in which a body must come. It begins late with a small body, which
// mostly comes with its header: until then the server's own limit holds.
type pace struct {
	w     http.ResponseWriter
	share *Share
	since time.Time
	n     int // bytes that had come when the deadline was set
	begun bool
	set   bool
}

func (p *pace) begin(r *http.Request) {
	p.begun = true
	// What the site sets is for the site to know.
	if server, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && server.ReadTimeout > 0 {
		return
	}
	p.since = time.Now()
	p.set = http.NewResponseController(p.w).SetReadDeadline(p.since.Add(firstPause)) == nil // where the connection knows none there is none
}

// came moves the deadline when more has come.
func (p *pace) came(r *http.Request, n int) {
	if !p.begun {
		p.begin(r)
	}
	p.share.came(n)
	if p.set && n >= p.n+Small {
		p.n = n
		p.move()
	}
}

func (p *pace) move() {
	p.share.setDeadline(p.w, p.since.Add(firstPause+time.Duration(p.n/leastRate)*time.Second))
}

// resume goes on after a time in which nobody read.
func (p *pace) resume(after time.Duration) {
	if p.set {
		p.since = p.since.Add(after)
		p.move()
	}
}

// end takes the deadline off, for the next request of the connection.
func (p *pace) end() {
	if p.set {
		p.share.setDeadline(p.w, time.Time{})
	}
}
