package s3

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
)

// The examples of AWS: a body of 65 KB in chunks, without and with a trailer.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
var signedExamples = map[string]struct {
	stream, headers, signature string
	chunks                     [3]string
	trailer                    string
}{
	"chunks": {
		sigv4.StreamSigned, "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
		"4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
		[3]string{"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648", "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497", "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"},
		"",
	},
	"a trailer": {
		sigv4.StreamSignedTrailer, "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
		"106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
		[3]string{"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2", "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7", "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"},
		"x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n",
	},
}

func TestSignedChunksAreThoseOfTheExamplesOfAWS(t *testing.T) {
	verifier, err := sigv4.New(sigv4.Config{
		Keys: []sigv4.Key{{ID: "AKIAIOSFODNN7EXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}}, Region: "us-east-1", Services: []string{sigv4.S3},
		Now: func() time.Time { return time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC) },
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, example := range signedExamples {
		body := "10000;chunk-signature=" + example.chunks[0] + "\r\n" + strings.Repeat("a", 65536) + "\r\n" +
			"400;chunk-signature=" + example.chunks[1] + "\r\n" + strings.Repeat("a", 1024) + "\r\n" +
			"0;chunk-signature=" + example.chunks[2] + "\r\n" + example.trailer + "\r\n"
		begin := func() *sigv4.Check {
			r := httptest.NewRequest(http.MethodPut, "http://s3.amazonaws.com/examplebucket/chunkObject.txt", nil)
			r.ContentLength = 66824
			for header, value := range map[string]string{
				"X-Amz-Date": "20130524T000000Z", "X-Amz-Storage-Class": "REDUCED_REDUNDANCY", "X-Amz-Content-Sha256": example.stream,
				"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": "66560",
				"Authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=" + example.headers + ",Signature=" + example.signature,
			} {
				r.Header.Set(header, value)
			}
			if example.trailer != "" {
				r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32c")
			}
			check, err := verifier.Begin(r, sigv4.S3)
			if err != nil || !check.Proven() {
				t.Fatalf("%s: %v", name, err)
			}
			return check
		}
		read := func(body string) ([]byte, error) {
			return io.ReadAll(newChunkReader(strings.NewReader(body), begin().Chunks(), example.trailer != ""))
		}
		if got, err := read(body); err != nil || !bytes.Equal(got, bytes.Repeat([]byte("a"), 66560)) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		// Whatever else it has: another byte, a chunk less, another checksum, no trailer.
		for what, other := range map[string]string{
			"a byte":         strings.Replace(body, "aaaa", "aaba", 1),
			"a chunk less":   body[:strings.Index(body, "400;")] + body[strings.Index(body, "0;chunk-signature="+example.chunks[2]):],
			"a last chunk":   body[:strings.Index(body, "400;")] + "0;chunk-signature=" + example.chunks[1] + "\r\n\r\n",
			"another sum":    strings.Replace(body, "sOO8", "sOO9", 1),
			"no signatures":  strings.ReplaceAll(body, ";chunk-signature=", ";x="),
			"no trailer":     strings.Replace(body, example.trailer, "", 1),
			"a changed name": strings.Replace(body, "crc32c:", "crc32:", 1),
		} {
			if other == body {
				continue
			}
			if _, err := read(other); err == nil {
				t.Errorf("%s: %s is believed", name, what)
			}
		}
	}
}
