package caddymodule

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/caddyserver/caddy/v2"
)

// Service is a service with the API of one of AWS's: S3 (MinIO, SeaweedFS, Ceph,
// Versity), SQS (ElasticMQ), SNS, or AWS's own.
type Service struct {
	// Its address, e.g. http://minio:9000. Default: AWS's own; S3 needs one, where
	// buckets are the first part of the path.
	Endpoint string `json:"endpoint,omitempty"`

	// The region that requests are signed for. Default: us-east-1.
	Region string `json:"region,omitempty"`

	// The access key. Placeholders such as {env.SECRET} keep it out of the
	// configuration.
	AccessKeyID     string `json:"access_key_id,omitempty"`
	SecretAccessKey string `json:"secret_access_key,omitempty"`
}

// A connection is a service with its placeholders replaced.
type connection struct {
	endpoint    *url.URL // nil: AWS's own
	region      string
	credentials aws.Credentials
}

func (s *Service) resolve() (*connection, error) {
	repl := caddy.NewReplacer()
	c := &connection{
		region:      cmp.Or(repl.ReplaceAll(s.Region, ""), "us-east-1"),
		credentials: aws.Credentials{AccessKeyID: repl.ReplaceAll(s.AccessKeyID, ""), SecretAccessKey: repl.ReplaceAll(s.SecretAccessKey, "")},
	}
	text := repl.ReplaceAll(s.Endpoint, "")
	if text == "" {
		return c, nil
	}
	var err error
	c.endpoint, err = url.Parse(text)
	if err != nil || c.endpoint.Scheme != "http" && c.endpoint.Scheme != "https" || c.endpoint.Host == "" {
		return nil, fmt.Errorf("endpoint %q is not an address such as http://minio:9000", text)
	}
	return c, nil
}

func (c *connection) base() *string {
	if c.endpoint == nil {
		return nil
	}
	return aws.String(c.endpoint.String())
}

// Retrieve implements aws.CredentialsProvider: the key that is configured, or what AWS's
// usual chain finds: the environment, shared files, a web identity, the machine's role.
func (c *connection) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if c.credentials.AccessKeyID != "" {
		return c.credentials, nil
	}
	chain, err := usualCredentials()
	if err != nil {
		return aws.Credentials{}, err
	}
	own, err := chain.Retrieve(ctx)
	if err != nil {
		err = fmt.Errorf("no access key: set access_key in the option of the service, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the server's environment: %w", err)
	}
	return own, err
}

// usualCredentials caches what it finds until that expires.
var usualCredentials = sync.OnceValues(func() (aws.CredentialsProvider, error) {
	c, err := config.LoadDefaultConfig(context.Background())
	return c.Credentials, err
})

func (c *connection) sqs() *sqs.Client {
	return sqs.New(sqs.Options{Region: c.region, BaseEndpoint: c.base(), Credentials: c})
}

func (c *connection) sns() *sns.Client {
	return sns.New(sns.Options{Region: c.region, BaseEndpoint: c.base(), Credentials: c})
}
