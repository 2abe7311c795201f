package socket

import (
	"bytes"
	"io"
	"net"
	"testing"
)

// bytesConn is a connection that gives bytes, so many at once.
type bytesConn struct {
	net.Conn
	r    *bytes.Reader
	most int
}

func (c *bytesConn) Read(p []byte) (int, error) { return c.r.Read(p[:min(len(p), c.most)]) }

// What a guard finds does not depend on how the bytes come, and it gives them all, up to a
// frame that is too big.
func FuzzGuard(f *testing.F) {
	f.Add([]byte{0x81, 0x82, 1, 2, 3, 4, 'a', 'b', 0x89, 0x80, 0, 0, 0, 0}, 1)
	f.Add([]byte{0x01, 0xFE, 0x80, 0x00, 0, 0, 0, 0}, 3)
	f.Add([]byte{0x01, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}, 2)
	f.Add([]byte{0x81, 0x01, 'x', 0x00, 0x7F, 0xFF, 0, 0, 0, 0, 0, 0, 0}, 5)
	f.Fuzz(func(t *testing.T, data []byte, most int) {
		read := func(most int) ([]byte, error) {
			g := &guard{Conn: &bytesConn{r: bytes.NewReader(data), most: most}}
			var got []byte
			p := make([]byte, 64)
			for {
				n, err := g.Read(p)
				got = append(got, p[:n]...)
				if err != nil {
					return got, err
				}
				if g.left < 0 || g.message > MaxMessage || g.size > len(g.head) {
					t.Fatalf("%+v", g)
				}
			}
		}
		most = max(1, most&63)
		whole, wholeErr := read(64)
		parts, partsErr := read(most)
		if wholeErr != partsErr {
			t.Errorf("at once: %v, in parts of %d: %v", wholeErr, most, partsErr)
		}
		if wholeErr == io.EOF && !bytes.Equal(whole, parts) || !bytes.HasPrefix(data, whole) {
			t.Errorf("at once %x, in parts %x", whole, parts)
		}
	})
}
