package caddymodule

import (
	"cmp"
	"context"
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
	"github.com/caddyserver/caddy/v2"

	"github.com/hearthfn/hearth/caddymodule/lambdaapi"
)

// S3 is a store with the API of Amazon S3: MinIO, SeaweedFS, Ceph, Versity, or S3
// itself.
type S3 struct {
	// Its address, e.g. http://minio:9000. Buckets are the first part of the path.
	Endpoint string `json:"endpoint,omitempty"`

	// The region that requests are signed for. Default: us-east-1.
	Region string `json:"region,omitempty"`

	// The access key. Placeholders such as {env.SECRET} keep it out of the
	// configuration.
	AccessKeyID     string `json:"access_key_id,omitempty"`
	SecretAccessKey string `json:"secret_access_key,omitempty"`
}

// fetchTimeout bounds the fetch of an archive, of 250 MB at most.
const fetchTimeout = 5 * time.Minute

// unsigned stands for the hash of a body that there is not.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// bucket makes a reader of the store's objects.
func (s *S3) bucket() (lambdaapi.Bucket, error) {
	repl := caddy.NewReplacer()
	endpoint, err := url.Parse(repl.ReplaceAll(s.Endpoint, ""))
	if err != nil || endpoint.Scheme != "http" && endpoint.Scheme != "https" || endpoint.Host == "" {
		return nil, fmt.Errorf("endpoint %q is not an address such as http://minio:9000", s.Endpoint)
	}
	return &bucket{
		endpoint: endpoint, region: cmp.Or(repl.ReplaceAll(s.Region, ""), "us-east-1"),
		credentials: aws.Credentials{AccessKeyID: repl.ReplaceAll(s.AccessKeyID, ""), SecretAccessKey: repl.ReplaceAll(s.SecretAccessKey, "")},
		signer:      v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }),
		client:      &http.Client{Timeout: fetchTimeout},
	}, nil
}

type bucket struct {
	endpoint    *url.URL
	region      string
	credentials aws.Credentials
	signer      *v4.Signer
	client      *http.Client
}

// Open implements lambdaapi.Bucket.
func (b *bucket) Open(ctx context.Context, name, key, version string) (io.ReadCloser, error) {
	address := b.endpoint.JoinPath(name)
	address.Path += "/" + key // as it is: a key may have // and .. in it
	address.RawPath = escapePath(address.Path)
	if version != "" {
		address.RawQuery = url.Values{"versionId": {version}}.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Amz-Content-Sha256", emptyHash)
	if b.credentials.AccessKeyID != "" {
		if err := b.signer.SignHTTP(ctx, b.credentials, r, emptyHash, "s3", b.region, time.Now()); err != nil {
			return nil, err
		}
	}
	answer, err := b.client.Do(r)
	if err != nil {
		// To the caller too: the store is out of reach, or its address is wrong.
		return nil, &lambdaapi.S3Error{Code: "ServiceUnavailable", Message: reason(err)}
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	const most = 64 << 10
	refused := &lambdaapi.S3Error{Code: http.StatusText(answer.StatusCode)}
	text, err := io.ReadAll(io.LimitReader(answer.Body, most))
	var body struct{ Code, Message string }
	if err == nil && xml.Unmarshal(text, &body) == nil && body.Code != "" {
		refused.Code, refused.Message = body.Code, body.Message
	}
	return nil, refused
}

// reason is an error of the client without the address, which may have a secret.
func reason(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err.Error()
	}
	return err.Error()
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
