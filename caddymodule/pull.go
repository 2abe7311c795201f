package caddymodule

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/hearthfn/hearth/invoker/pull"
	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/environment"
)

// pullBy has the event source mappings polled for, from the first start on.
func (s *storage) pullBy(a *App) error {
	if s.puller != nil {
		return nil
	}
	e := pull.New(pull.Config{
		Registry: s.registry, Store: s.records, Runner: puller{s}, Sender: puller{s}, Clients: puller{s}, Account: a.account(), Log: a.log,
	})
	if err := e.Start(); err != nil {
		return err
	}
	s.puller = e
	return nil
}

// A puller is what pollers need, by the configuration that is current.
type puller struct{ storage *storage }

// Invoke implements pull.Runner.
func (p puller) Invoke(ctx context.Context, name, qualifier string, call *environment.Call) error {
	a := p.storage.current.Load()
	if a == nil {
		return warmpool.ErrClosed
	}
	return a.catalog.Invoke(ctx, name, qualifier, call)
}

// Send implements pull.Sender.
func (p puller) Send(ctx context.Context, destination string, body []byte) error {
	return p.storage.Send(ctx, destination, body, nil)
}

// SQS implements pull.Clients.
func (p puller) SQS(region string) *sqs.Client {
	c := p.connection(region, func(a *App) *Service { return a.SQS })
	return c.sqs()
}

// Kinesis implements pull.Clients.
func (p puller) Kinesis(region string) *kinesis.Client {
	c := p.connection(region, func(a *App) *Service { return a.Kinesis })
	return kinesis.New(kinesis.Options{Region: c.region, BaseEndpoint: c.base(), Credentials: c})
}

// DynamoDB implements pull.Clients.
func (p puller) DynamoDB(region string) *dynamodbstreams.Client {
	c := p.connection(region, func(a *App) *Service { return a.DynamoDB })
	return dynamodbstreams.New(dynamodbstreams.Options{Region: c.region, BaseEndpoint: c.base(), Credentials: c})
}

// connection is a service's, in the region that an ARN names. Without a configuration
// it is AWS's own.
func (p puller) connection(region string, of func(*App) *Service) *connection {
	service := &Service{}
	if a := p.storage.current.Load(); a != nil && of(a) != nil {
		service = of(a)
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
