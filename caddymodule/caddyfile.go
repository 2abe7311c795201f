package caddymodule

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("hearth", parseApp)
	// A function answers requests, as reverse_proxy's upstream does. So handle, route and
	// respond come before it: what they take is not the function's.
	httpcaddyfile.RegisterHandlerDirective("function", parseFunction)
	httpcaddyfile.RegisterDirectiveOrder("function", httpcaddyfile.Before, "reverse_proxy")
	// These take what is for them and leave the rest to the site.
	httpcaddyfile.RegisterHandlerDirective("lambda_api", parseLambdaAPI)
	httpcaddyfile.RegisterDirectiveOrder("lambda_api", httpcaddyfile.Before, "invoke")
	httpcaddyfile.RegisterHandlerDirective("function_urls", parseFunctionURLs)
	httpcaddyfile.RegisterDirectiveOrder("function_urls", httpcaddyfile.Before, "invoke")
	httpcaddyfile.RegisterHandlerDirective("receive", parseReceive)
	httpcaddyfile.RegisterDirectiveOrder("receive", httpcaddyfile.Before, "invoke")
}

// parseApp parses the global option hearth. It may be given more than once, in
// imported files for instance; functions add up.
func parseApp(d *caddyfile.Dispenser, existing any) (any, error) {
	app := new(App)
	if before, ok := existing.(httpcaddyfile.App); ok {
		if err := json.Unmarshal(before.Value, app); err != nil {
			return nil, d.WrapErr(err)
		}
	}
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "hearth", Value: caddyconfig.JSON(app, nil)}, nil
}

// UnmarshalCaddyfile sets up the app from the global option:
//
//	hearth {
//		data_dir       <path>
//		redis          <url> {
//			prefix <text>
//		}
//		node           <name>
//		peer_address   <host:port>
//		memory_budget  <size>
//		body_memory    <size>
//		concurrency    <n>
//		queue          <n>
//		queue_timeout  <duration>|off
//		cold_starts    <n>
//		stems          <n>
//		idle_timeout   <duration>
//		account        <twelve digits>
//		region         <name>
//		access_key     <id> <secret> [read_only]
//		function_url   <address with a star>
//		ignore         <setting>...
//		s3 {
//			endpoint   <address>
//			region     <name>
//			access_key <id> <secret>
//		}
//		sqs|sns|kinesis|dynamodb|gateway {
//			...
//		}
//		aws_endpoint   [s3|sqs|sns|kinesis|dynamodb] <address>
//		async {
//			per_function <n>
//			concurrency  <n>
//			max_waiting  <n>
//		}
//		runtimes {
//			<runtime> <interpreter>
//		}
//		sandbox on|off {
//			allow_admin_endpoint
//			bwrap <path>
//		}
//		network private|host|none {
//			deny  <range>...
//			allow <range[:port]>...
//		}
//		reach <address>...
//		logs {
//			retention <duration>
//			max_file  <size>
//			max_total <size>
//		}
//		event_source <ARN or URL> <function> {
//			...
//		}
//		schedule <name> <expression> <function> {
//			...
//		}
//		function <name> {
//			...
//		}
//	}
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume option name
	if d.NextArg() {
		return d.ArgErr()
	}
	for d.NextBlock(0) {
		var err error
		switch d.Val() {
		case "data_dir":
			err = text(d, &a.DataDir)
		case "memory_budget":
			err = megabytes(d, &a.MemoryBudget)
		case "body_memory":
			err = megabytes(d, &a.BodyMemory)
		case "concurrency":
			err = number(d, &a.Concurrency, 1)
		case "queue":
			err = number(d, &a.Queue, 1)
		case "queue_timeout":
			err = durationOrOff(d, &a.QueueTimeout)
		case "cold_starts":
			err = number(d, &a.ColdStarts, 1)
		case "stems":
			a.Stems = new(int)
			err = number(d, a.Stems, 0)
		case "idle_timeout":
			err = duration(d, &a.IdleTimeout)
		case "account":
			err = text(d, &a.Account)
		case "region":
			err = text(d, &a.Region)
		case "access_key":
			err = a.unmarshalAccessKey(d)
		case "function_url":
			err = text(d, &a.FunctionURL)
		case "ignore":
			names := d.RemainingArgs()
			if a.Ignore = append(a.Ignore, names...); len(names) == 0 {
				err = d.ArgErr()
			}
		case "s3":
			err = unmarshalService(d, &a.S3)
		case "sqs":
			err = unmarshalService(d, &a.SQS)
		case "sns":
			err = unmarshalService(d, &a.SNS)
		case "redis":
			err = a.Redis.unmarshal(d)
		case "node":
			err = text(d, &a.Node)
		case "peer_address":
			err = text(d, &a.PeerAddress)
		case "kinesis":
			err = unmarshalService(d, &a.Kinesis)
		case "dynamodb":
			err = unmarshalService(d, &a.DynamoDB)
		case "aws_endpoint":
			err = a.unmarshalEndpoint(d)
		case "schedule":
			err = a.unmarshalSchedule(d)
		case "event_source":
			var e EventSource
			err = e.unmarshal(d)
			a.EventSources = append(a.EventSources, e)
		case "gateway":
			err = unmarshalService(d, &a.Gateway)
		case "async":
			err = a.Async.unmarshal(d)
		case "runtimes":
			err = pairs(d, &a.Runtimes, "runtime")
		case "sandbox":
			err = a.Sandbox.unmarshal(d)
		case "network":
			err = a.unmarshalNetwork(d)
		case "reach":
			err = a.unmarshalReach(d)
		case "logs":
			err = a.Logs.unmarshal(d)
		case "function":
			err = a.unmarshalFunction(d)
		default:
			err = d.Errf("unrecognized hearth option '%s'; there are data_dir, redis, node, peer_address, memory_budget, body_memory, concurrency, queue, queue_timeout, cold_starts, stems, idle_timeout, account, region, access_key, function_url, ignore, s3, sqs, sns, kinesis, dynamodb, aws_endpoint, gateway, async, event_source, schedule, runtimes, sandbox, network, reach, logs and function", d.Val())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *App) unmarshalAccessKey(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) < 2 || len(args) > 3 {
		return d.ArgErr()
	}
	key := AccessKey{ID: args[0], Secret: args[1]}
	if len(args) == 3 {
		if args[2] != "read_only" {
			return d.Errf("access_key: after ID and secret there may be read_only, not '%s'", args[2])
		}
		key.ReadOnly = true
	}
	a.AccessKeys = append(a.AccessKeys, key)
	return nil
}

func (r *Redis) unmarshal(d *caddyfile.Dispenser) error {
	if err := text(d, &r.URL); err != nil {
		return err
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if d.Val() != "prefix" {
			return d.Errf("unrecognized redis option '%s'; there is prefix", d.Val())
		}
		if err := text(d, &r.Prefix); err != nil {
			return err
		}
	}
	return nil
}

// unmarshalService keeps what aws_endpoint has set and the block does not.
func unmarshalService(d *caddyfile.Dispenser, s **Service) error {
	if *s == nil {
		*s = new(Service)
	}
	return (*s).unmarshal(d)
}

func (s *Service) unmarshal(d *caddyfile.Dispenser) error {
	name := d.Val()
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch d.Val() {
		case "endpoint", "region", "access_key":
		default:
			return d.Errf("unrecognized %s option '%s'; there are endpoint, region and access_key", name, d.Val())
		}
		if err := s.option(d); err != nil {
			return err
		}
	}
	return nil
}

// option reads one option of a service.
func (s *Service) option(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "endpoint":
		return text(d, &s.Endpoint)
	case "region":
		return text(d, &s.Region)
	}
	if !d.Args(&s.AccessKeyID, &s.SecretAccessKey) || d.NextArg() {
		return d.ArgErr()
	}
	return nil
}

// unmarshalEndpoint reads aws_endpoint [SERVICE] URL, which stands for the endpoint of
// one service, or of all that have no other.
func (a *App) unmarshalEndpoint(d *caddyfile.Dispenser) error {
	services := map[string]**Service{"s3": &a.S3, "sqs": &a.SQS, "sns": &a.SNS, "kinesis": &a.Kinesis, "dynamodb": &a.DynamoDB}
	args := d.RemainingArgs()
	if len(args) == 2 {
		service := services[args[0]]
		if service == nil {
			return d.Errf("aws_endpoint: '%s' is no service that is used here; there are s3, sqs, sns, kinesis and dynamodb", args[0])
		}
		services = map[string]**Service{args[0]: service}
	} else if len(args) != 1 {
		return d.ArgErr()
	}
	for _, service := range services {
		if *service == nil {
			*service = new(Service)
		}
		if len(args) == 2 || (*service).Endpoint == "" {
			(*service).Endpoint = args[len(args)-1]
		}
	}
	return nil
}

func (a *Async) unmarshal(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch d.Val() {
		case "per_function":
			err = number(d, &a.PerFunction, 1)
		case "concurrency":
			err = number(d, &a.Concurrency, 1)
		case "max_waiting":
			err = number(d, &a.MaxWaiting, 1)
		default:
			err = d.Errf("unrecognized async option '%s'; there are per_function, concurrency and max_waiting", d.Val())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *FunctionAsync) unmarshal(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch d.Val() {
		case "retries":
			f.Retries = new(int)
			err = number(d, f.Retries, 0)
		case "max_age":
			err = duration(d, &f.MaxAge)
		case "on_success":
			err = text(d, &f.OnSuccess)
		case "on_failure":
			err = text(d, &f.OnFailure)
		default:
			err = d.Errf("unrecognized async option '%s'; there are retries, max_age, on_success and on_failure", d.Val())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *Logs) unmarshal(d *caddyfile.Dispenser) error {
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch d.Val() {
		case "retention":
			err = duration(d, &l.Retention)
		case "max_file":
			err = megabytes(d, &l.MaxFile)
		case "max_total":
			err = megabytes(d, &l.MaxTotal)
		default:
			err = d.Errf("unrecognized logs option '%s'; there are retention, max_file and max_total", d.Val())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var (
	_ caddyfile.Unmarshaler = (*App)(nil)
	_ caddyfile.Unmarshaler = (*FunctionHandler)(nil)
	_ caddyfile.Unmarshaler = (*LambdaAPI)(nil)
	_ caddyfile.Unmarshaler = (*Receive)(nil)
	_ caddyfile.Unmarshaler = (*FunctionURLs)(nil)
)
