package objectstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 20

// do sends a request with a body of a type.
func (s *Store) do(ctx context.Context, method, path, query, contentType string, body []byte) (int, []byte, error) {
	header := make(http.Header)
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	return s.send(ctx, method, path, query, header, body)
}

// send sends a request that AWS's own signer signed. The path is not encoded.
func (s *Store) send(ctx context.Context, method, path, query string, header http.Header, body []byte) (int, []byte, error) {
	target := s.Endpoint + escape(path)
	if query != "" {
		target += "?" + query
	}
	request, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header = header
	sum := sha256.Sum256(body)
	request.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	credentials := aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}
	if err := signer.SignHTTP(ctx, credentials, request, hex.EncodeToString(sum[:]), "s3", "us-east-1", time.Now()); err != nil {
		return 0, nil, fmt.Errorf("signing: %w", err)
	}
	// A connection of its own: none is left open when the store is gone.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return response.StatusCode, answer, err
}

// escape encodes a path as SigV4 wants it: everything but unreserved characters and
// slashes.
func escape(path string) string {
	var b strings.Builder
	for i, segment := range strings.Split(path, "/") {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(strings.ReplaceAll(url.QueryEscape(segment), "+", "%20"))
	}
	return b.String()
}
