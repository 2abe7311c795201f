package caddymodule

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"

	"github.com/hearthfn/hearth/caddymodule/engine/services"
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

func (s *Service) resolve(repl *caddy.Replacer) (*services.Service, error) {
	return services.NewService(repl.ReplaceAll(s.Endpoint, ""), repl.ReplaceAll(s.Region, ""),
		repl.ReplaceAll(s.AccessKeyID, ""), repl.ReplaceAll(s.SecretAccessKey, ""))
}

// services are those of the configuration.
func (a *App) services(repl *caddy.Replacer) (services.Config, error) {
	var c services.Config
	for _, of := range []struct {
		name string
		from *Service
		to   **services.Service
	}{
		{"gateway", a.Gateway, &c.Gateway}, {"s3", a.S3, &c.S3}, {"sqs", a.SQS, &c.SQS}, {"sns", a.SNS, &c.SNS},
		{"kinesis", a.Kinesis, &c.Kinesis}, {"dynamodb", a.DynamoDB, &c.DynamoDB},
	} {
		if of.from == nil {
			continue
		}
		var err error
		if *of.to, err = of.from.resolve(repl); err != nil {
			return c, fmt.Errorf("%s: %w", of.name, err)
		}
	}
	return c, nil
}
