package services

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/hearthfn/hearth/caddymodule/awsapi/lambda"
)

// fetchTimeout bounds the fetch of an archive, of 250 MB at most.
const fetchTimeout = 5 * time.Minute

// A Bucket reads and writes the objects of a store with the API of S3.
//
// It is written by hand because the SDK's client costs more than it saves: with
// aws-sdk-go-v2/service/s3 v1.114.10 for the same three calls, the stripped binary for Linux
// on amd64 grows from 86.8 MB to 92.0 MB. The SDK's signer, which is small, does the part that
// is easy to get wrong.
type Bucket struct {
	endpoint    *url.URL
	region      string
	credentials aws.CredentialsProvider // nil: requests are not signed
	signer      *v4.Signer
	client      *http.Client
}

// NewBucket needs a service with an address. Without an access key its requests are not
// signed.
func NewBucket(s *Service) (*Bucket, error) {
	if s.endpoint == nil {
		return nil, errors.New("endpoint is missing, e.g. http://minio:9000")
	}
	return s.bucket(), nil
}

func (s *Service) bucket() *Bucket {
	b := &Bucket{
		endpoint: s.endpoint, region: s.Region,
		signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }),
		// A signature holds for one host; where else a store leads to is no business of ours.
		client: &http.Client{Timeout: fetchTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	if s.Credentials.AccessKeyID != "" {
		b.credentials = s
	}
	return b
}

// address is that of an object.
func (b *Bucket) address(name, key string) *url.URL {
	address := b.endpoint.JoinPath(name)
	address.Path += "/" + key // as it is: a key may have // and .. in it
	address.RawPath = escapePath(address.Path)
	return address
}

// do sends a signed request.
func (b *Bucket) do(ctx context.Context, method string, to *url.URL, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, to.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Content-Sha256", hash)
	if len(body) > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	if b.credentials != nil {
		key, err := b.credentials.Retrieve(ctx)
		if err != nil {
			return nil, err
		}
		if err := b.signer.SignHTTP(ctx, key, r, hash, "s3", b.region, time.Now()); err != nil {
			return nil, err
		}
	}
	return b.client.Do(r)
}

// Put writes an object, JSON.
func (b *Bucket) Put(ctx context.Context, name, key string, body []byte) error {
	answer, err := b.do(ctx, http.MethodPut, b.address(name, key), body)
	if err != nil {
		return errors.New(reason(err))
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return refusal(answer)
	}
	return nil
}

// Open implements lambda.Bucket.
func (b *Bucket) Open(ctx context.Context, name, key, version string) (io.ReadCloser, error) {
	address := b.address(name, key)
	if version != "" {
		address.RawQuery = url.Values{"versionId": {version}}.Encode()
	}
	answer, err := b.do(ctx, http.MethodGet, address, nil)
	if err != nil {
		// To the caller too: the store is out of reach, or its address is wrong.
		return nil, &lambda.S3Error{Code: "ServiceUnavailable", Message: reason(err)}
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	return nil, refusal(answer)
}

// refusal is what a store says is wrong.
func refusal(answer *http.Response) *lambda.S3Error {
	const most = 64 << 10
	refused := &lambda.S3Error{Code: http.StatusText(answer.StatusCode)}
	text, err := io.ReadAll(io.LimitReader(answer.Body, most))
	var body struct{ Code, Message string }
	if err == nil && xml.Unmarshal(text, &body) == nil && body.Code != "" {
		refused.Code, refused.Message = body.Code, body.Message
	}
	return refused
}

// escapePath escapes all but what S3 leaves alone.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func escapePath(path string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		if c == '/' || c == '-' || c == '_' || c == '.' || c == '~' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
