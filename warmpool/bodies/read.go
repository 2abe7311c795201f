package bodies

import "io"

// Read reads all of r behind into, whose share of b it holds. length is what the sender
// says, -1 if nothing; most is the longest that r can be. weight is how many bytes are
// held for a part of the body, in thirds: 3 is the body alone, 7 the event in base64 too.
//
// What a sender says gets memory only when it has sent as much as a small body. An event
// without a length gets it in steps.
func Read(r io.Reader, into []byte, length, most int64, b *Budget, s *Share, weight int) ([]byte, error) {
	for {
		if len(into) == cap(into) {
			size := next(cap(into), length, most)
			if size > Small {
				// The old memory is there until the new has its content.
				if err := s.Hold(b, size/3*weight+cap(into)); err != nil {
					return into, err
				}
			}
			grown := make([]byte, len(into), size) // append would make it larger
			copy(grown, into)
			into = grown
			s.Keep(size / 3 * weight)
		}
		n, err := r.Read(into[len(into):cap(into)])
		into = into[:len(into)+n]
		if err == io.EOF {
			return into, nil
		}
		if err != nil {
			return into, err
		}
	}
}

// next is the size behind size. One byte more than the body lets its end be found.
func next(size int, length, most int64) int {
	whole := int(most) + 1
	if length >= 0 {
		whole = int(min(length, most)) + 1
	}
	if whole > size && (whole <= Small || length >= 0 && size >= Small/2) {
		return whole
	}
	if size < 512 {
		return min(512, max(whole, size+1))
	}
	if length >= 0 && size < Small {
		return Small
	}
	return max(size+1, min(2*size, whole))
}
