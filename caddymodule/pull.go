package caddymodule

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/hearthfn/hearth/invoker"
	"github.com/hearthfn/hearth/invoker/pull"
	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// pullBy has the event source mappings polled for, from the first start on.
func (s *Engine) pullBy(a *App) error {
	if s.puller != nil {
		s.puller.Reconfigure()
		return nil
	}
	e := pull.New(pull.Config{
		Registry: s.mappings, Store: s.records, Runner: puller{s}, Sender: puller{s}, Clients: puller{s}, Account: a.account(), Log: a.log,
	})
	if err := e.Start(); err != nil {
		return err
	}
	s.puller = e
	return nil
}

// mappings is the registry with the mappings that are to be polled for.
func (s *Engine) mappings() *registry.Registry {
	if a := s.current.Load(); a != nil {
		return a.registry
	}
	return s.registry // no configuration is in charge
}

// A puller is what pollers need, by the configuration that is current.
type puller struct{ engine *Engine }

// Invoke implements pull.Runner.
func (p puller) Invoke(ctx context.Context, name, qualifier string, event []byte, call *environment.Call) error {
	a := p.engine.current.Load()
	if a == nil {
		return warmpool.ErrClosed
	}
	if a.isElsewhere(name) {
		return a.services.gateway.Invoke(ctx, &invoker.Message{Function: name, Qualifier: qualifier, Payload: event}, call)
	}
	return a.catalog.Invoke(ctx, name, qualifier, call)
}

// Send implements pull.Sender.
func (p puller) Send(ctx context.Context, destination string, d *pull.Delivery) error {
	return p.engine.Send(ctx, destination, &invoker.Delivery{Body: d.Body, Folder: d.Folder, Trace: d.Trace})
}

// Reach implements pull.Clients.
func (p puller) Reach(m *registry.Mapping) string {
	parts := strings.SplitN(m.EventSourceArn, ":", 4)
	if len(parts) < 4 || parts[0] != "arn" {
		return "" // its own address says it
	}
	c := p.connection(m, func(a *App) *Service {
		return map[string]*Service{"sqs": a.SQS, "kinesis": a.Kinesis, "dynamodb": a.DynamoDB, "s3": a.S3}[parts[2]]
	})
	return fmt.Sprint(aws.ToString(c.base()), c.region, c.credentials.AccessKeyID, c.credentials.SecretAccessKey)
}

// SQS implements pull.Clients.
func (p puller) SQS(m *registry.Mapping) *sqs.Client {
	c := p.connection(m, func(a *App) *Service { return a.SQS })
	return c.sqs()
}

// Kinesis implements pull.Clients.
func (p puller) Kinesis(m *registry.Mapping) *kinesis.Client {
	c := p.connection(m, func(a *App) *Service { return a.Kinesis })
	return kinesis.New(kinesis.Options{Region: c.region, BaseEndpoint: c.base(), Credentials: c})
}

// DynamoDB implements pull.Clients.
func (p puller) DynamoDB(m *registry.Mapping) *dynamodbstreams.Client {
	c := p.connection(m, func(a *App) *Service { return a.DynamoDB })
	return dynamodbstreams.New(dynamodbstreams.Options{Region: c.region, BaseEndpoint: c.base(), Credentials: c})
}

// S3 implements pull.Clients.
func (p puller) S3(m *registry.Mapping) pull.Bucket {
	c := p.connection(m, func(a *App) *Service { return a.S3 })
	if c.endpoint != nil {
		return c.bucket()
	}
	c.endpoint = &url.URL{Scheme: "https", Host: "s3." + c.region + ".amazonaws.com"}
	b := c.bucket()
	b.credentials = c // AWS answers nobody else
	return b
}

// connection is that of a mapping: its own, else the service's, else AWS's, in the region
// that the ARN names.
func (p puller) connection(m *registry.Mapping, of func(*App) *Service) *connection {
	var service Service
	if a := p.engine.current.Load(); a != nil && of(a) != nil {
		service = *of(a)
	}
	region := ""
	if parts := strings.Split(m.EventSourceArn, ":"); len(parts) > 3 {
		region = parts[3]
	}
	if own := m.Connection; own != nil {
		service.Endpoint, region = cmp.Or(own.Endpoint, service.Endpoint), cmp.Or(own.Region, region)
		if own.AccessKeyID != "" {
			service.AccessKeyID, service.SecretAccessKey = own.AccessKeyID, own.SecretAccessKey
		}
	}
	c, err := service.resolve() // Provision has checked it
	if err != nil {
		c = &connection{}
	}
	if region != "" {
		c.region = region
	}
	return c
}

var (
	_ pull.Runner  = puller{}
	_ pull.Sender  = puller{}
	_ pull.Clients = puller{}
)
