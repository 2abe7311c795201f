package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
)

// S3 is the service whose requests are signed in a way of their own: the path is encoded
// once, the header always says which hash the body has, and a body may be signed in chunks.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
const S3 = "s3"

// What X-Amz-Content-Sha256 says of a body that comes in chunks.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
const (
	StreamSigned          = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	StreamSignedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	StreamUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// readS3Payload takes over what a request to S3 says of its body.
func (c *Check) readS3Payload() (done bool, err error) {
	switch c.payload {
	case StreamSigned, StreamSignedTrailer, StreamUnsignedTrailer:
		return true, nil
	case "":
		if !c.signature.presigned {
			return true, &Error{"InvalidRequest", http.StatusBadRequest, "Missing required header for this request: x-amz-content-sha256"}
		}
		c.payload = unsigned
	}
	return false, nil
}

// Payload is what the request says of its body: a hash in hexadecimal, one of the streams
// above, or that nothing of it is signed.
func (c *Check) Payload() (hash string, stream string) {
	switch c.payload {
	case StreamSigned, StreamSignedTrailer, StreamUnsignedTrailer:
		return "", c.payload
	case unsigned:
		return "", ""
	}
	return c.payload, ""
}

// Key is the key that signed, of a check that is Proven. The caller checks the body.
func (c *Check) Key() *Key { return &c.holder.Key }

// Chunks checks the signatures of the chunks of a body, each of which covers the one before.
type Chunks struct {
	check    *Check
	previous string
}

// Chunks begins with the signature of the request.
func (c *Check) Chunks() *Chunks { return &Chunks{c, hex.EncodeToString(c.signature.mac[:])} }

// Chunk checks the signature of the next chunk, whose data has the hash.
func (c *Chunks) Chunk(hash [sha256.Size]byte, signature string) error {
	none := sha256.Sum256(nil)
	return c.next("AWS4-HMAC-SHA256-PAYLOAD", hex.EncodeToString(none[:])+"\n"+hex.EncodeToString(hash[:]), signature)
}

// Trailer checks the signature of the trailers, "name:value\n" each.
func (c *Chunks) Trailer(hash [sha256.Size]byte, signature string) error {
	return c.next("AWS4-HMAC-SHA256-TRAILER", hex.EncodeToString(hash[:]), signature)
}

func (c *Chunks) next(kind, rest, signature string) error {
	s := &c.check.signature
	text := kind + "\n" + s.time + "\n" + s.day + "/" + s.region + "/" + s.service + "/" + terminator + "\n" + c.previous + "\n" + rest
	mac := c.check.signingKey().sum([]byte(text))
	if want := hex.EncodeToString(mac[:]); !hmac.Equal([]byte(want), []byte(signature)) {
		return mismatch(nil, nil)
	}
	c.previous = signature
	return nil
}
