package s3

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestChunksAreReadAsClientsSendThem(t *testing.T) {
	for name, test := range map[string]struct {
		body    string
		trailer bool
		want    string
		sum     string // of the trailer
		err     error
	}{
		"one chunk":             {"5\r\nhello\r\n0\r\n\r\n", false, "hello", "", nil},
		"several":               {"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", false, "hello!", "", nil},
		"none":                  {"0\r\n\r\n", false, "", "", nil},
		"a trailer":             {"A\r\n0123456789\r\n0\r\nX-Amz-Checksum-CRC32: abc=\r\n\r\n", true, "0123456789", "abc=", nil},
		"no last line":          {"0\r\nx-amz-checksum-crc32:abc=\r\n", true, "", "abc=", nil},
		"cut in a chunk":        {"5\r\nhel", false, "hel", "", errBroken},
		"cut after a chunk":     {"5\r\nhello\r\n", false, "hello", "", errBroken},
		"longer than it says":   {"4\r\nhello\r\n0\r\n\r\n", false, "hell", "", &Error{}},
		"no number":             {"x\r\nhello\r\n0\r\n\r\n", false, "", "", &Error{}},
		"a negative number":     {"-5\r\nhello\r\n0\r\n\r\n", false, "", "", &Error{}},
		"a sign":                {"+5\r\nhello\r\n0\r\n\r\n", false, "", "", &Error{}},
		"nothing for a number":  {"\r\nhello\r\n0\r\n\r\n", false, "", "", &Error{}},
		"too large a number":    {"ffffffffffffffff\r\n", false, "", "", &Error{}},
		"an endless line":       {strings.Repeat("0", 9999), false, "", "", &Error{}},
		"an unexpected trailer": {"0\r\na:b\r\n\r\n", false, "", "", &Error{}},
		"no trailer's name":     {"0\r\na\r\n\r\n", true, "", "", &Error{}},
		"many trailers":         {"0\r\n" + strings.Repeat("a:b\r\n", 99), true, "", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, in := range []io.Reader{strings.NewReader(test.body), iotest.OneByteReader(strings.NewReader(test.body))} {
				c := newChunkReader(in, nil, test.trailer)
				got, err := io.ReadAll(c)
				var refused *Error
				if string(got) != test.want || (err == nil) != (test.err == nil) || err != nil && !errors.As(err, &refused) {
					t.Fatalf("%q, %v", got, err)
				}
				if test.err == errBroken && err != errBroken {
					t.Errorf("%v", err)
				}
				if sum := c.trailers["x-amz-checksum-crc32"]; sum != test.sum {
					t.Errorf("trailer %q", sum)
				}
			}
		})
	}
}

func FuzzChunks(f *testing.F) {
	f.Add("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:abc=\r\n\r\n", true)
	f.Add("5;chunk-signature=00\r\nhello\r\n0;chunk-signature=00\r\n\r\n", false)
	f.Fuzz(func(t *testing.T, body string, trailer bool) {
		c := newChunkReader(strings.NewReader(body), nil, trailer)
		got, err := io.ReadAll(c)
		if len(got) > len(body) || len(c.trailers) > maxTrailers {
			t.Errorf("%d bytes, %d trailers of %d bytes, %v", len(got), len(c.trailers), len(body), err)
		}
		if err == nil && !strings.Contains(body, "0") {
			t.Errorf("%q has no last chunk", body)
		}
	})
}

func TestChecksumsHaveTheirCheckValues(t *testing.T) {
	for algorithm, want := range map[string]string{"crc32": "y/Q5Jg==", "crc32c": "4waSgw==", "crc64nvme": "rosUhgp5mIg="} {
		h := algorithms[algorithm]()
		h.Write([]byte("123456789"))
		if got := encodeSum(h); got != want {
			t.Errorf("%s: %s, want %s", algorithm, got, want)
		}
	}
}

func TestRangesAreThoseOfS3(t *testing.T) {
	for text, want := range map[string][3]int64{ // offset, length, partial
		"bytes=0-0": {0, 1, 1}, "bytes=2-": {2, 8, 1}, "bytes=-3": {7, 3, 1}, "bytes=-99": {0, 10, 1}, "bytes=5-99": {5, 5, 1},
		"bytes=0-1,3-4": {0, 10, 0}, "bytes=3-2": {0, 10, 0}, "lines=0-1": {0, 10, 0}, "bytes=x-": {0, 10, 0}, "bytes=-": {0, 10, 0},
		"bytes=10-": {-1}, "bytes=-0": {-1}, "bytes=99-100": {-1},
	} {
		offset, length, partial, err := rangeOf(text, 10)
		if want[0] < 0 {
			if err == nil {
				t.Errorf("%s is inside", text)
			}
			continue
		}
		if err != nil || offset != want[0] || length != want[1] || partial != (want[2] == 1) {
			t.Errorf("%s: %d, %d, %t, %v", text, offset, length, partial, err)
		}
	}
}

func TestBucketsAreFoundInHosts(t *testing.T) {
	for host, want := range map[string]string{
		"localhost:8080": "", "127.0.0.1:80": "", "[::1]:80": "", "shop.localhost:8080": "shop", "a-b.c.example.com": "a-b.c.example a-b.c a-b", "ab.example": "", "UPPER.example.com": "",
	} {
		if got := strings.Join(headsOf(host), " "); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}
