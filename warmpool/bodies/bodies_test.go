package bodies

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/iotest"
)

func request(body io.Reader, length int64) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", body)
	r.ContentLength = length
	return r
}

func TestReadHoldsMemoryOnlyForWhatCame(t *testing.T) {
	b := New(256)
	intake := Intake{Most: 6 << 20, Weight: 3, Budget: b}
	largest := Intake{Most: 64 << 20, Weight: 3, Budget: b}
	for _, size := range []int{0, 1, first - 1, first, Small - 1, Small, Small + 1, 1 << 20, 6 << 20, 6<<20 + 1, 64 << 20} {
		want := bytes.Repeat([]byte("x"), size)
		in := intake
		if int64(size) > in.Most {
			in = largest
		}
		for _, length := range []int64{int64(size), -1} {
			var s Share
			r := request(bytes.NewReader(want), length)
			got, err := in.Read(httptest.NewRecorder(), r, nil, &s)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%d bytes of length %d: got %d, %v", size, length, len(got), err)
			}
			if size > 0 && r.Body != http.NoBody {
				t.Errorf("%d bytes of length %d are read, and the request still has a body", size, length)
			}
			if held := b.Used(); size < Small && held != 0 || size > Small && (held < int64(size)-3 || held > 2*int64(size)) {
				t.Errorf("%d bytes of length %d hold %d", size, length, held)
			}
			if length >= 0 && cap(got) > size+1 {
				t.Errorf("%d bytes have a buffer of %d", size, cap(got))
			}
			s.End()
			if held := b.Used(); held != 0 {
				t.Errorf("%d are held at the end", held)
			}
		}
	}
	// A length alone holds nothing, and its body's memory is given back when it breaks off.
	for _, came := range []int{0, Small, 2 << 20} {
		var s Share
		body := io.MultiReader(bytes.NewReader(make([]byte, came)), iotest.ErrReader(io.ErrUnexpectedEOF))
		r := request(body, 6<<20)
		if got, err := intake.Read(httptest.NewRecorder(), r, nil, &s); !errors.Is(err, io.ErrUnexpectedEOF) || got != nil || b.Used() != 0 || r.Body == http.NoBody {
			t.Errorf("got %v, %d bytes, and %d are held", err, len(got), b.Used())
		}
	}
}

func TestReadRefusesWhatIsTooLarge(t *testing.T) {
	in := Intake{Most: 100 << 10, Weight: 3}
	for _, length := range []int64{100<<10 + 1, -1} {
		for size, want := range map[int]error{100 << 10: nil, 100<<10 + 1: ErrTooLarge} {
			if length > 0 && want == nil {
				continue
			}
			var s Share
			got, err := in.Read(httptest.NewRecorder(), request(bytes.NewReader(make([]byte, size)), length), make([]byte, 0, 512), &s)
			if !errors.Is(err, want) || want == nil && len(got) != size {
				t.Errorf("%d bytes of length %d: got %d, %v, want %v", size, length, len(got), err, want)
			}
		}
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
