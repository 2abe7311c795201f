package s3

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"hash"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi/s3/artefact"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
)

// How slowly a body may come: grace, and slowest bytes per second after that.
const (
	grace   = 30 * time.Second
	slowest = 16 << 10
)

// A pacedReader fails when a body comes too slowly.
type pacedReader struct {
	r       io.Reader
	control *http.ResponseController
	began   time.Time
	came    int64
}

// Read implements io.Reader.
func (p *pacedReader) Read(b []byte) (int, error) {
	// A server without deadlines, as in tests, has patience.
	_ = p.control.SetReadDeadline(p.began.Add(grace + time.Duration(p.came)*time.Second/slowest))
	n, err := p.r.Read(b)
	p.came += int64(n)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errSlow
	}
	return n, err
}

// length is how long the content of a body is.
func (c *call) length(stream string) (int64, error) {
	if stream == "" {
		if c.ContentLength < 0 {
			return 0, refuse(http.StatusLengthRequired, "MissingContentLength", "You must provide the Content-Length HTTP header.")
		}
		return c.ContentLength, nil
	}
	n, err := strconv.ParseInt(c.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
	if err != nil || n < 0 {
		return 0, refuse(http.StatusLengthRequired, "MissingContentLength", "You must provide the x-amz-decoded-content-length HTTP header.")
	}
	return n, nil
}

// receive writes the body to a draft and checks it: its length, the signatures of its chunks,
// its hash and its checksums. wanted is the algorithm of the checksum that is kept if the
// client gives none; "": the default's. The caller closes the draft.
func (c *call) receive(wanted string) (d *artefact.Draft, sum artefact.Sum, err error) {
	_, stream := c.check.Payload()
	length, err := c.length(stream)
	if err != nil {
		return nil, sum, err
	}
	leave, err := c.api.enter()
	if err != nil {
		return nil, sum, err
	}
	defer leave()
	if d, err = c.api.Store.Draft(length); err != nil {
		return nil, sum, err
	}
	if sum, err = c.read(d, length, wanted); err != nil {
		d.Close()
		return nil, sum, err
	}
	return d, sum, nil
}

// enter waits for no turn: it fails if too many bodies are being read.
func (a *API) enter() (leave func(), err error) {
	select {
	case a.busy <- struct{}{}:
		return func() { <-a.busy }, nil
	default:
		return nil, errBusy
	}
}

func (c *call) read(d *artefact.Draft, length int64, wanted string) (sum artefact.Sum, err error) {
	hashed, stream := c.check.Payload()
	given, err := givenSum(c.Header)
	if err != nil {
		return sum, err
	}
	trailer, err := trailerSum(c.Header)
	if err != nil {
		return sum, err
	}
	sum = artefact.Sum{Algorithm: given.Algorithm, Type: wholeObject}
	for _, next := range []string{trailer, wanted, defaultAlgorithm} {
		if sum.Algorithm == "" {
			sum.Algorithm = next
		}
	}
	if trailer != "" && (given.Algorithm != "" && given.Algorithm != trailer || stream == "" || stream == sigv4.StreamSigned) {
		return sum, badRequest("The x-amz-trailer header does not fit the body.")
	}
	check := algorithms[sum.Algorithm]()
	chunks, err := c.copyBody(io.MultiWriter(d, check), length, stream)
	if err != nil {
		return sum, err
	}
	if hashed != "" && !strings.EqualFold(hashed, d.SHA256()) {
		return sum, errDigest
	}
	if err := c.checkMD5(d); err != nil {
		return sum, err
	}
	sum.Value = encodeSum(check)
	if trailer != "" {
		if given.Value = chunks.trailers[checksumHeader+trailer]; given.Value == "" {
			return sum, badRequest("The trailer x-amz-checksum-" + trailer + " is missing.")
		}
	}
	if given.Value != "" && given.Value != sum.Value {
		return sum, refuse(http.StatusBadRequest, "BadDigest", "The "+strings.ToUpper(sum.Algorithm)+" you specified did not match the calculated checksum.")
	}
	return sum, nil
}

// copyBody copies exactly length bytes of the body's content. chunks is nil if it does not
// come in chunks.
func (c *call) copyBody(w io.Writer, length int64, stream string) (chunks *chunkReader, err error) {
	control := http.NewResponseController(c.w)
	var in io.Reader = &pacedReader{r: c.Body, control: control, began: time.Now()}
	if stream != "" {
		var signatures *sigv4.Chunks
		if stream != sigv4.StreamUnsignedTrailer {
			signatures = c.check.Chunks()
		}
		chunks = newChunkReader(in, signatures, stream != sigv4.StreamSigned)
		in = chunks
	}
	n, err := io.Copy(w, io.LimitReader(in, length+1))
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errBroken
	case errors.Is(err, artefact.ErrTooLarge), err == nil && n != length: // more than it says, or less
		return nil, errBroken
	case err != nil:
		return nil, err
	}
	_ = control.SetReadDeadline(time.Time{})
	return chunks, nil
}

func (c *call) checkMD5(d *artefact.Draft) error {
	given := c.Header.Get("Content-Md5")
	if given == "" {
		return nil
	}
	sum, err := base64.StdEncoding.DecodeString(given)
	switch {
	case err != nil || len(sum) != md5.Size:
		return refuse(http.StatusBadRequest, "InvalidDigest", "The Content-MD5 you specified is not valid.")
	case !bytes.Equal(sum, d.MD5()):
		return refuse(http.StatusBadRequest, "BadDigest", "The Content-MD5 you specified did not match what we received.")
	}
	return nil
}

// maxDocument is the largest body that is a document: that of 10,000 parts.
const maxDocument = 4 << 20

// document reads a body that is XML, and checks it as receive does.
func (c *call) document() ([]byte, error) {
	hashed, stream := c.check.Payload()
	length, err := c.length(stream)
	if err != nil {
		return nil, err
	}
	if length > maxDocument {
		return nil, errMalformed
	}
	leave, err := c.api.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	sum, err := givenSum(c.Header)
	if err != nil {
		return nil, err
	}
	trailer, err := trailerSum(c.Header)
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	chunks, err := c.copyBody(&body, length, stream)
	if err != nil {
		return nil, err
	}
	if trailer != "" && chunks != nil {
		sum = artefact.Sum{Algorithm: trailer, Value: chunks.trailers[checksumHeader+trailer]}
	}
	if hashed != "" && !strings.EqualFold(hashed, hexOf(algorithms["sha256"](), body.Bytes())) {
		return nil, errDigest
	}
	if sum.Algorithm != "" {
		check := algorithms[sum.Algorithm]()
		check.Write(body.Bytes())
		if encodeSum(check) != sum.Value {
			return nil, refuse(http.StatusBadRequest, "BadDigest", "The "+strings.ToUpper(sum.Algorithm)+" you specified did not match the calculated checksum.")
		}
	}
	if given := c.Header.Get("Content-Md5"); given != "" {
		if sum := md5.Sum(body.Bytes()); base64.StdEncoding.EncodeToString(sum[:]) != given {
			return nil, refuse(http.StatusBadRequest, "BadDigest", "The Content-MD5 you specified did not match what we received.")
		}
	}
	return body.Bytes(), nil
}

func hexOf(h hash.Hash, data []byte) string {
	h.Write(data)
	const digits = "0123456789abcdef"
	var text []byte
	for _, b := range h.Sum(nil) {
		text = append(text, digits[b>>4], digits[b&15])
	}
	return string(text)
}
