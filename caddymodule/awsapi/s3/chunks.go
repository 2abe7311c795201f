package s3

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"hash"
	"io"
	"strconv"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
)

// Bounds of a body in chunks, in bytes.
const (
	maxChunkLine = 4 << 10
	maxTrailers  = 10
)

// A chunkReader reads a body that comes as aws-chunked:
//
//	SIZE[;chunk-signature=SIGNATURE] CRLF data CRLF ... 0[;chunk-signature=SIGNATURE] CRLF
//	[name:value CRLF ...] [x-amz-trailer-signature:SIGNATURE CRLF] CRLF
//
// What it returns of a chunk is checked when the chunk ends, so the reader has to be read to
// its end before anything is believed.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
type chunkReader struct {
	in       *bufio.Reader
	chunks   *sigv4.Chunks // nil: chunks are not signed
	trailer  bool
	trailers map[string]string // names in lower case; there when the reader has ended

	left      int64 // of the chunk
	begun     bool
	hash      hash.Hash
	signature string
	err       error
}

func newChunkReader(r io.Reader, chunks *sigv4.Chunks, trailer bool) *chunkReader {
	return &chunkReader{in: bufio.NewReaderSize(r, 64<<10), chunks: chunks, trailer: trailer, trailers: make(map[string]string), hash: sha256.New()}
}

// Read implements io.Reader.
func (c *chunkReader) Read(p []byte) (int, error) {
	for c.err == nil && c.left == 0 {
		c.err = c.next()
	}
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.in.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if c.chunks != nil {
		c.hash.Write(p[:n])
	}
	if err != nil {
		c.err = broken(err)
	}
	return n, c.err
}

func broken(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errBroken
	}
	return err
}

// next ends a chunk and begins another. It returns io.EOF after the last.
func (c *chunkReader) next() error {
	if c.begun {
		if line, err := c.line(); err != nil {
			return err
		} else if line != "" {
			return badRequest("A chunk is longer than it says.")
		}
		if err := c.verify(); err != nil {
			return err
		}
	}
	c.begun = true
	line, err := c.line()
	if err != nil {
		return err
	}
	size, extension, _ := strings.Cut(line, ";")
	if c.left, err = strconv.ParseInt(size, 16, 64); err != nil || c.left < 0 || size[0] == '+' {
		c.left = 0
		return badRequest("The size of a chunk is not a hexadecimal number.")
	}
	c.signature = strings.TrimPrefix(extension, "chunk-signature=")
	if c.left > 0 {
		return nil
	}
	if err := c.verify(); err != nil {
		return err
	}
	if err := c.end(); err != nil {
		return err
	}
	return io.EOF
}

// verify checks the signature of the chunk that was read.
func (c *chunkReader) verify() error {
	if c.chunks == nil {
		return nil
	}
	var sum [sha256.Size]byte
	c.hash.Sum(sum[:0])
	c.hash.Reset()
	return c.chunks.Chunk(sum, c.signature)
}

// end reads what comes after the last chunk.
func (c *chunkReader) end() error {
	var signed bytes.Buffer
	signature := ""
	for range maxTrailers + 2 {
		line, err := c.line()
		if err != nil && err != errBroken {
			return err
		}
		if err != nil || line == "" { // some clients leave the last line out
			break
		}
		name, value, found := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch {
		case !found || !c.trailer:
			return badRequest("There is something after the last chunk.")
		case name == "x-amz-trailer-signature":
			signature = value
		case len(c.trailers) == maxTrailers:
			return badRequest("There are too many trailers.")
		default:
			c.trailers[name] = value
			signed.WriteString(name + ":" + value + "\n")
		}
	}
	if c.chunks == nil || !c.trailer {
		return nil
	}
	return c.chunks.Trailer(sha256.Sum256(signed.Bytes()), signature)
}

// line reads a line without its end.
func (c *chunkReader) line() (string, error) {
	var line []byte
	for {
		b, err := c.in.ReadByte()
		if err != nil {
			return "", broken(err)
		}
		if b == '\n' {
			return strings.TrimSuffix(string(line), "\r"), nil
		}
		if line = append(line, b); len(line) > maxChunkLine {
			return "", badRequest("A line of a body in chunks is too long.")
		}
	}
}
