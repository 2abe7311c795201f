package services

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/hearthfn/hearth/invoker/push"
)

// An SNSClient fetches the certificates that verify messages of SNS. Package push has checked
// the addresses.
type SNSClient struct {
	client       *http.Client
	certificates *lru.Cache[string, []byte] // by address: a new certificate has a new address
}

// Limits of what SNS answers.
const (
	snsTimeout     = 10 * time.Second
	maxCertificate = 64 << 10 // bytes
	certificates   = 16
)

// NewSNSClient returns a client that remembers certificates.
func NewSNSClient() *SNSClient {
	known, err := lru.New[string, []byte](certificates)
	if err != nil {
		panic(err) // the size is positive
	}
	return &SNSClient{
		client:       &http.Client{Timeout: snsTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		certificates: known,
	}
}

// Certificate implements push.SNSClient.
func (c *SNSClient) Certificate(ctx context.Context, address string) ([]byte, error) {
	if known, ok := c.certificates.Get(address); ok {
		return known, nil
	}
	text, err := c.get(ctx, address)
	if err == nil {
		c.certificates.Add(address, text)
	}
	return text, err
}

// Confirm implements push.SNSClient.
func (c *SNSClient) Confirm(ctx context.Context, address string) error {
	_, err := c.get(ctx, address)
	return err
}

func (c *SNSClient) get(ctx context.Context, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := c.client.Do(r)
	if err != nil {
		return nil, errors.New(reason(err)) // the address of a confirmation has a token
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("SNS answered %s", answer.Status)
	}
	return io.ReadAll(io.LimitReader(answer.Body, maxCertificate))
}

var _ push.SNSClient = (*SNSClient)(nil)
