package bodies

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// serve answers the requests of one client over a connection in memory.
func serve(t *testing.T, handler http.HandlerFunc) (client net.Conn) {
	t.Helper()
	client, server := net.Pipe()
	s := &http.Server{Handler: handler}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(&oneListener{conn: server}) }()
	t.Cleanup(func() {
		client.Close()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, io.EOF) {
			t.Errorf("the server ended with %v", err)
		}
	})
	return client
}

// A oneListener has one connection.
type oneListener struct{ conn net.Conn }

func (l *oneListener) Accept() (net.Conn, error) {
	if l.conn == nil {
		return nil, io.EOF
	}
	conn := l.conn
	l.conn = nil
	return conn, nil
}

func (l *oneListener) Close() error   { return nil }
func (l *oneListener) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }

func TestASenderMustKeepUp(t *testing.T) {
	for _, test := range []struct {
		name        string
		each        int // bytes that are sent each second
		size        int
		want        error
		least, most time.Duration
	}{
		{"nothing comes", 0, 6 << 20, ErrSlow, firstPause, firstPause},
		{"nothing of a small one comes after its first part", 0, 1000, ErrSlow, firstPause, firstPause},
		{"little comes", 1000, 6 << 20, ErrSlow, firstPause, firstPause},
		{"it begins well and then is too slow", leastRate / 2, 6 << 20, ErrSlow, 58 * time.Second, 62 * time.Second},
		{"it comes slowly", leastRate, 3 << 20, nil, 90 * time.Second, 100 * time.Second},
		{"a small one comes slowly", 1000, 20_000, nil, 18 * time.Second, 22 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				result := make(chan error, 1)
				began := time.Now()
				client := serve(t, func(w http.ResponseWriter, r *http.Request) {
					var s Share
					_, err := Intake{Most: 6 << 20, Weight: 3}.Read(w, r, nil, &s)
					result <- err
				})
				var sends sync.WaitGroup
				sends.Go(func() {
					_, _ = fmt.Fprintf(client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n12345", test.size)
					rest := test.size - 5
					for every := time.NewTicker(time.Second); rest > 0 && test.each > 0; <-every.C {
						n := min(rest, test.each)
						if _, err := client.Write(make([]byte, n)); err != nil {
							return // the server has had enough
						}
						rest -= n
					}
				})
				go func() { _, _ = io.Copy(io.Discard, client) }()
				err := <-result
				if took := time.Since(began); !errors.Is(err, test.want) || took < test.least || took > test.most {
					t.Errorf("got %v after %v, want %v after %v to %v", err, took, test.want, test.least, test.most)
				}
				client.Close()
				sends.Wait()
			})
		})
	}
}

func TestASlowBodyGivesWayToOneThatHasNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 7 << 20
		b := New(15) // two of them
		type outcome struct {
			name string
			err  error
		}
		results := make(chan outcome, 10)
		send := func(rate int64, name string) net.Conn {
			client := serve(t, func(w http.ResponseWriter, r *http.Request) {
				var s Share
				_, err := Intake{Most: size, Weight: 3, Budget: b, Rate: rate}.Read(w, r, nil, &s)
				s.End()
				results <- outcome{name, err}
			})
			go func() { _, _ = io.Copy(io.Discard, client) }()
			_, _ = fmt.Fprintf(client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", size)
			_, _ = client.Write(make([]byte, 5<<20)) // the server may refuse it meanwhile
			synctest.Wait()
			return client
		}
		want := func(name string, target error) {
			t.Helper()
			if got := <-results; got.name != name || !errors.Is(got.err, target) {
				t.Errorf("got %+v, want %s %v", got, name, target)
			}
		}
		quick := send(64<<10, "quick")
		slow := send(10<<20, "slow")
		// Nobody has been slow for long.
		third := send(64<<10, "third")
		want("third", ErrFull)
		third.Close()
		time.Sleep(patience)
		fourth := send(64<<10, "fourth")
		want("slow", ErrFull)
		slow.Close()
		for _, of := range []struct {
			name   string
			client net.Conn
		}{{"quick", quick}, {"fourth", fourth}} {
			if _, err := of.client.Write(make([]byte, 2<<20)); err != nil {
				t.Error(err)
			}
			want(of.name, nil)
			of.client.Close()
		}
		synctest.Wait()
		if b.Used() != 0 || len(b.arrivals) != 0 {
			t.Errorf("%d bytes of %d bodies are held", b.Used(), len(b.arrivals))
		}
	})
}

// Bodies that have a part of their memory and wait for the rest do not hold each other up.
func TestBodiesThatWaitWithMemoryGiveWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 20 << 20
		b := New(30)
		in := Intake{Most: size, Weight: 3, Budget: b, Rate: 1 << 10, Wait: time.Minute}
		type outcome struct {
			n   int
			err error
		}
		results := make(chan outcome, 3)
		send := func(n int) {
			go func() {
				var s Share
				_, err := in.Read(httptest.NewRecorder(), request(bytes.NewReader(make([]byte, size)), size), nil, &s)
				s.End()
				results <- outcome{n, err}
			}()
			synctest.Wait()
		}
		var held Share
		if err := held.Hold(b, 10<<20); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		send(1) // has 8 MB, wants 20
		send(2) // the same
		if used := b.Used(); used < 25<<20 || used > 27<<20 {
			t.Fatalf("%d bytes are held", used)
		}
		held.Keep(1 << 20) // now there is room for one if the other gives way
		for n, want := range []error{ErrFull, nil} {
			if got := <-results; !errors.Is(got.err, want) || time.Since(began) > 2*patience {
				t.Errorf("%d. result after %v: %v of %d, want %v", n, time.Since(began), got.err, got.n, want)
			}
		}
		held.End()
		synctest.Wait()
		if b.Used() != 0 || len(b.arrivals) != 0 {
			t.Errorf("%d bytes of %d bodies are held", b.Used(), len(b.arrivals))
		}
	})
}

func TestABodyWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(LeastMB)
		var held Share
		if err := held.Hold(b, 20<<20); err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(10 * time.Second)
			held.End()
		}()
		in := Intake{Most: 6 << 20, Weight: 3, Budget: b, Rate: 64 << 20, Wait: time.Minute}
		began := time.Now()
		var s Share
		body, err := in.Read(httptest.NewRecorder(), request(bytes.NewReader(make([]byte, 6<<20)), 6<<20), nil, &s)
		if took := time.Since(began); err != nil || len(body) != 6<<20 || took < 10*time.Second || took > 11*time.Second {
			t.Errorf("got %d bytes, %v after %v", len(body), err, took)
		}
		began = time.Now()
		var second Share
		_, err = in.Read(httptest.NewRecorder(), request(bytes.NewReader(make([]byte, 6<<20)), 6<<20), nil, &second)
		if took := time.Since(began); err != nil || took != 0 {
			t.Errorf("%v after %v", err, took)
		}
		s.Hold(b, 12<<20)
		second.Hold(b, 12<<20)
		began = time.Now()
		var third Share
		if _, err = in.Read(httptest.NewRecorder(), request(bytes.NewReader(make([]byte, 6<<20)), 6<<20), nil, &third); !errors.Is(err, ErrFull) || time.Since(began) < in.Wait {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		if _, err = in.Read(httptest.NewRecorder(), request(bytes.NewReader(make([]byte, 6<<20)), 6<<20).WithContext(ctx), nil, &third); !errors.Is(err, ErrFull) || time.Since(began) != time.Second {
			t.Errorf("when the client is gone: %v after %v", err, time.Since(began))
		}
		if b.refused.Load() != 2 {
			t.Errorf("%d are counted as refused", b.refused.Load())
		}
	})
}

func TestAnAnswerComesBeforeTheBody(t *testing.T) {
	for name, header := range map[string]string{
		"a small body":      "Content-Length: 1000\r\n\r\n12345",
		"a body":            "Content-Length: 200000\r\n\r\n12345",
		"a large body":      "Content-Length: 9000000\r\n\r\n12345",
		"a body in chunks":  "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
		"a body that waits": "Content-Length: 200000\r\nExpect: 100-continue\r\n\r\n",
	} {
		for _, early := range []bool{true, false} {
			t.Run(fmt.Sprint(name, ", refused early ", early), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					client := serve(t, func(w http.ResponseWriter, r *http.Request) {
						var s Share
						if !early {
							if _, err := (Intake{Most: 10 << 20, Weight: 3}).Read(w, r, nil, &s); !errors.Is(err, ErrSlow) {
								t.Errorf("got %v, want ErrSlow", err)
							}
						}
						Refuse(w, r, http.StatusForbidden, []byte("no"))
					})
					began := time.Now()
					_, _ = io.WriteString(client, "POST / HTTP/1.1\r\nHost: x\r\n"+header)
					reader := bufio.NewReader(client)
					answer, err := http.ReadResponse(reader, nil)
					for err == nil && answer.StatusCode == http.StatusContinue {
						answer, err = http.ReadResponse(reader, nil)
					}
					if err != nil {
						t.Fatal(err)
					}
					body, err := io.ReadAll(answer.Body)
					if err != nil || answer.StatusCode != http.StatusForbidden || string(body) != "no" || !answer.Close {
						t.Errorf("got %s, %q, closes: %v, %v", answer.Status, body, answer.Close, err)
					}
					want := time.Duration(0)
					if !early {
						want = firstPause
					}
					if took := time.Since(began); took != want {
						t.Errorf("the answer is whole after %v, want %v", took, want)
					}
					_, err = reader.ReadByte()
					if ends := time.Since(began); err != io.EOF || ends > want+lingerFor+time.Second {
						t.Errorf("the connection ends after %v, %v", ends, err)
					}
				})
			})
		}
	}
}

// What a client sends after the answer is read, so that it sees the answer and no broken
// connection; a client whose body was read keeps its connection.
func TestAnAnswerLeavesTheConnectionWhole(t *testing.T) {
	reads := make(chan bool, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if <-reads {
			var s Share
			if _, err := (Intake{Most: 1 << 20, Weight: 3}).Read(w, r, nil, &s); err != nil {
				t.Error(err)
			}
		}
		Refuse(w, r, http.StatusForbidden, []byte("no"))
	}))
	defer s.Close()
	for _, test := range []struct {
		size  int
		reads bool
	}{{0, true}, {0, false}, {100_000, true}, {100, false}, {100_000, false}, {1 << 20, false}, {16 << 20, false}} {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		reads <- test.reads
		request := fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", test.size)
		if _, err := io.WriteString(conn, request+strings.Repeat("x", test.size)); err != nil {
			t.Errorf("%+v: %v", test, err)
		}
		reader := bufio.NewReader(conn)
		answer, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatalf("%+v: %v", test, err)
		}
		body, err := io.ReadAll(answer.Body)
		if closes := !test.reads && test.size > 0; err != nil || string(body) != "no" || answer.Close != closes {
			t.Errorf("%+v: got %q, %v, closes: %v", test, body, err, answer.Close)
		}
		conn.Close()
	}
}
