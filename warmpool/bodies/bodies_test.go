package bodies

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/iotest"
)

func TestReadHoldsMemoryOnlyForWhatCame(t *testing.T) {
	b := New(LeastMB)
	const most = 6 << 20
	for _, size := range []int{0, 1, Small - 1, Small, Small + 1, 1 << 20, most} {
		want := bytes.Repeat([]byte("x"), size)
		for _, length := range []int64{int64(size), -1} {
			var s Share
			got, err := Read(bytes.NewReader(want), nil, length, most, b, &s, 3)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%d bytes of length %d: got %d, %v", size, length, len(got), err)
			}
			if held := b.Used(); size < Small && held != 0 || size > Small && (held < int64(size)-3 || held > 2*int64(size)) {
				t.Errorf("%d bytes of length %d hold %d", size, length, held)
			}
			if length >= 0 && cap(got) > max(Small, size+1) {
				t.Errorf("%d bytes have a buffer of %d", size, cap(got))
			}
			s.End()
			if held := b.Used(); held != 0 {
				t.Errorf("%d are held at the end", held)
			}
		}
	}
	// A length alone holds nothing.
	var s Share
	if _, err := Read(iotest.ErrReader(io.ErrUnexpectedEOF), nil, most, most, b, &s, 7); !errors.Is(err, io.ErrUnexpectedEOF) || b.Used() != 0 {
		t.Errorf("got %v, and %d are held", err, b.Used())
	}
}

func TestFullBudgetRefusesAndGarbageMakesRoomAgain(t *testing.T) {
	b := New(LeastMB)
	var first, second Share
	if err := first.Hold(b, 20<<20); err != nil {
		t.Fatal(err)
	}
	if err := second.Hold(b, 5<<20); !errors.Is(err, ErrFull) {
		t.Fatalf("got %v, want ErrFull", err)
	}
	if b.Used() != 20<<20 || b.refused.Load() != 1 {
		t.Errorf("%d are held, %d refused", b.Used(), b.refused.Load())
	}
	first.Keep(4 << 20)
	if err := second.Hold(b, 20<<20); err != nil {
		t.Fatalf("garbage is not collected: %v", err)
	}
	b.Resize(32)
	if err := first.Hold(b, 12<<20); err != nil {
		t.Error(err)
	}
	first.End()
	second.End()
	if b.Used() != 0 {
		t.Errorf("%d are held", b.Used())
	}
}

func TestBudgetIsAtZeroWhenAllAreGone(t *testing.T) {
	b := New(LeastMB)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for n := range 200 {
				var s Share
				if s.Hold(b, n<<15) == nil {
					s.Keep(n << 14)
				}
				s.End()
			}
		})
	}
	all.Wait()
	b.collect()
	if b.used.Load() != 0 || b.garbage.Load() != 0 {
		t.Errorf("%d are used, %d of it garbage", b.used.Load(), b.garbage.Load())
	}
}
