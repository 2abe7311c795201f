package services

import (
	"cmp"
	"fmt"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/hearthfn/hearth/invoker/pull"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// Config says which services there are; nil: it is not configured. Event sources without
// one are at AWS.
type Config struct {
	S3, SQS, SNS, Kinesis, DynamoDB *Service
	// Gateway is the server that has the functions, if this one only delivers to it.
	Gateway *Service
}

// Services reach what is configured.
type Services struct {
	config Config
	bucket *Bucket
	sqs    *sqs.Client
	sns    *sns.Client
	// Gateway has the functions that are not defined here; nil: they run here.
	Gateway *Gateway
}

// New makes the clients.
func New(c Config) (*Services, error) {
	s := &Services{config: c}
	var err error
	if c.Gateway != nil {
		if s.Gateway, err = newGateway(c.Gateway); err != nil {
			return nil, fmt.Errorf("gateway: %w", err)
		}
	}
	if c.S3 != nil {
		if s.bucket, err = NewBucket(c.S3); err != nil {
			return nil, fmt.Errorf("s3: %w", err)
		}
	}
	if c.SQS != nil {
		s.sqs = c.SQS.sqs()
	}
	if c.SNS != nil {
		s.sns = c.SNS.sns()
	}
	return s, nil
}

// Bucket reads and writes the objects of the S3 service, nil if there is none.
func (s *Services) Bucket() *Bucket { return s.bucket }

// Passed are the services that have an address of their own, by their names: those that calls of
// others are passed on to.
func (s *Services) Passed() map[string]*Service {
	all := make(map[string]*Service)
	for name, one := range map[string]*Service{"sqs": s.config.SQS, "sns": s.config.SNS, "kinesis": s.config.Kinesis, "dynamodb": s.config.DynamoDB} {
		if one != nil && one.endpoint != nil {
			all[name] = one
		}
	}
	return all
}

// Reach implements pull.Clients.
func (s *Services) Reach(m *registry.Mapping) string {
	source, err := arn.Parse(m.EventSourceArn)
	if err != nil {
		return "" // its own address says it
	}
	c := reachOf(m, map[string]*Service{"sqs": s.config.SQS, "kinesis": s.config.Kinesis, "dynamodb": s.config.DynamoDB, "s3": s.config.S3}[source.Service])
	return fmt.Sprint(c.Endpoint(), c.Region, c.Credentials.AccessKeyID, c.Credentials.SecretAccessKey)
}

// SQS implements pull.Clients.
func (s *Services) SQS(m *registry.Mapping) *sqs.Client { return reachOf(m, s.config.SQS).sqs() }

// Kinesis implements pull.Clients.
func (s *Services) Kinesis(m *registry.Mapping) *kinesis.Client {
	c := reachOf(m, s.config.Kinesis)
	return kinesis.New(kinesis.Options{Region: c.Region, BaseEndpoint: c.base(), Credentials: c})
}

// DynamoDB implements pull.Clients.
func (s *Services) DynamoDB(m *registry.Mapping) *dynamodbstreams.Client {
	c := reachOf(m, s.config.DynamoDB)
	return dynamodbstreams.New(dynamodbstreams.Options{Region: c.Region, BaseEndpoint: c.base(), Credentials: c})
}

// S3 implements pull.Clients.
func (s *Services) S3(m *registry.Mapping) pull.Bucket {
	c := reachOf(m, s.config.S3)
	if c.endpoint != nil {
		return c.bucket()
	}
	c.endpoint = &url.URL{Scheme: "https", Host: "s3." + c.Region + ".amazonaws.com"}
	b := c.bucket()
	b.credentials = c // AWS requires credentials
	return b
}

// reachOf is how the source of a mapping is reached: as the mapping says itself, else as
// the service does, else at AWS, in the region that the ARN names.
func reachOf(m *registry.Mapping, configured *Service) *Service {
	s := Service{Region: DefaultRegion}
	if configured != nil {
		s = *configured
	}
	source, _ := arn.Parse(m.EventSourceArn) // what has none says its region itself
	region := source.Region
	if own := m.Connection; own != nil {
		if own.Endpoint != "" {
			s.endpoint, _ = url.Parse(own.Endpoint) // it has been checked
		}
		region = cmp.Or(own.Region, region)
		if own.AccessKeyID != "" {
			s.Credentials = aws.Credentials{AccessKeyID: own.AccessKeyID, SecretAccessKey: own.SecretAccessKey}
		}
	}
	s.Region = cmp.Or(region, s.Region)
	return &s
}

var _ pull.Clients = (*Services)(nil)
