package services

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/hearthfn/hearth/caddymodule/awsapi/s3/notification"
)

// DefaultRegion is the region that requests are signed for by default.
const DefaultRegion = "us-east-1"

// A Service is where an API of AWS's is, and how its requests are signed.
type Service struct {
	endpoint    *url.URL // nil: AWS's own
	Region      string
	Credentials aws.Credentials
	// Notify is where S3 sends events, so that they come to this server; "": nowhere.
	Notify notification.Target
}

// NewService checks an address; "" stands for AWS's own. An empty region is DefaultRegion.
func NewService(endpoint, region, accessKeyID, secretAccessKey string) (*Service, error) {
	s := &Service{
		Region:      cmp.Or(region, DefaultRegion),
		Credentials: aws.Credentials{AccessKeyID: accessKeyID, SecretAccessKey: secretAccessKey},
	}
	if endpoint == "" {
		return s, nil
	}
	var err error
	s.endpoint, err = url.Parse(endpoint)
	if err != nil || s.endpoint.Scheme != "http" && s.endpoint.Scheme != "https" || s.endpoint.Host == "" {
		return nil, fmt.Errorf("endpoint %q is not an address such as http://minio:9000", endpoint)
	}
	return s, nil
}

// Endpoint is the address, "" for AWS's own.
func (s *Service) Endpoint() string {
	if s.endpoint == nil {
		return ""
	}
	return s.endpoint.String()
}

// Address is the address of a service that has one of its own.
func (s *Service) Address() *url.URL { return s.endpoint }

func (s *Service) base() *string {
	if s.endpoint == nil {
		return nil
	}
	return aws.String(s.endpoint.String())
}

// Retrieve implements aws.CredentialsProvider: the key that is configured, or what AWS's
// usual chain finds: the environment, shared files, a web identity, the machine's role.
func (s *Service) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if s.Credentials.AccessKeyID != "" {
		return s.Credentials, nil
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

func (s *Service) sqs() *sqs.Client {
	return sqs.New(sqs.Options{Region: s.Region, BaseEndpoint: s.base(), Credentials: s})
}

func (s *Service) sns() *sns.Client {
	return sns.New(sns.Options{Region: s.Region, BaseEndpoint: s.base(), Credentials: s})
}

// reason is an error of a client without the address, which may have a secret.
func reason(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err.Error()
	}
	return err.Error()
}
