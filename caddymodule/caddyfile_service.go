package caddymodule

import (
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// An awsService is a service that aws_endpoint stands for.
type awsService struct {
	name string
	to   **Service
}

func (a *App) awsServices() []awsService {
	return []awsService{{"s3", &a.S3}, {"sqs", &a.SQS}, {"sns", &a.SNS}, {"kinesis", &a.Kinesis}, {"dynamodb", &a.DynamoDB}}
}

// serviceOptions are the blocks of those services.
func (a *App) serviceOptions() []option {
	var options []option
	for _, s := range a.awsServices() {
		options = append(options, option{s.name, into(service, s.to)})
	}
	return options
}

// unmarshalEndpoint reads aws_endpoint [SERVICE] URL, which stands for the endpoint of
// one service, or of all that have no other.
func (a *App) unmarshalEndpoint(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 1 && len(args) != 2 {
		return d.ArgErr()
	}
	services := a.awsServices()
	if len(args) == 2 {
		services = slices.DeleteFunc(services, func(s awsService) bool { return s.name != args[0] })
		if len(services) == 0 {
			return d.Errf("aws_endpoint: '%s' is no service that is used here; %s", args[0], thereAre(a.serviceOptions()))
		}
	}
	for _, s := range services {
		if *s.to == nil {
			*s.to = new(Service)
		}
		if len(args) == 2 || (*s.to).Endpoint == "" {
			(*s.to).Endpoint = args[len(args)-1]
		}
	}
	return nil
}

// service keeps what aws_endpoint has set and the block does not.
func service(d *caddyfile.Dispenser, to **Service) error {
	if *to == nil {
		*to = new(Service)
	}
	name := d.Val()
	if d.NextArg() {
		return d.ArgErr()
	}
	return readBlock(d, name+" option '%s'", (*to).options())
}

// options are those of a service, in its own block and in that of an event source.
func (s *Service) options() []option {
	return []option{
		{"endpoint", into(text, &s.Endpoint)},
		{"region", into(text, &s.Region)},
		{"access_key", s.unmarshalAccessKey},
	}
}

func (s *Service) unmarshalAccessKey(d *caddyfile.Dispenser) error {
	if !d.Args(&s.AccessKeyID, &s.SecretAccessKey) || d.NextArg() {
		return d.ArgErr()
	}
	return nil
}
