package caddymodule

import (
	"encoding/json"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/hearthfn/hearth/caddymodule/awsapi/lambda"
	"github.com/hearthfn/hearth/warmpool/state/redisstore"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("hearth", parseApp)
	// A function answers requests like an upstream of reverse_proxy. So handle, route and
	// respond come before it: the function does not get the requests that they take.
	httpcaddyfile.RegisterHandlerDirective("function", parseFunction)
	httpcaddyfile.RegisterDirectiveOrder("function", httpcaddyfile.Before, "reverse_proxy")
	httpcaddyfile.RegisterHandlerDirective("api", parseAPI)
	httpcaddyfile.RegisterDirectiveOrder("api", httpcaddyfile.Before, "reverse_proxy")
	// These handlers take their own requests and leave the others to the site.
	httpcaddyfile.RegisterHandlerDirective("lambda_api", parseLambdaAPI)
	httpcaddyfile.RegisterDirectiveOrder("lambda_api", httpcaddyfile.Before, "invoke")
	httpcaddyfile.RegisterHandlerDirective("function_urls", parseFunctionURLs)
	httpcaddyfile.RegisterDirectiveOrder("function_urls", httpcaddyfile.Before, "invoke")
	httpcaddyfile.RegisterHandlerDirective("apis", parseAPIs)
	httpcaddyfile.RegisterDirectiveOrder("apis", httpcaddyfile.Before, "invoke")
	httpcaddyfile.RegisterDirective("console", parseConsole)
	httpcaddyfile.RegisterDirectiveOrder("console", httpcaddyfile.Before, "invoke")
	httpcaddyfile.RegisterDirective("websocket", parseWebSocket)
	httpcaddyfile.RegisterDirectiveOrder("websocket", httpcaddyfile.Before, "invoke")
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
//			secret <text>
//			unprotected
//		}
//		node           <name>
//		peer_address   <host:port>
//		memory_budget  <size>
//		memory_overcommit <number>
//		body_memory    <size>
//		code_storage   <size>
//		concurrency    <n>
//		queue          <n>
//		queue_timeout  <duration>|off
//		cold_starts    <n>
//		stems          <n>
//		compile_cache  on|off
//		enforce_roles  on|off
//		tracing {
//			sample [FUNCTION] RATIO
//		}
//		zygotes        on|off|all
//		idle_timeout   <duration>
//		account        <twelve digits>
//		region         <name>
//		access_key     <id> <secret> [read_only]
//		function_url   <address with a star>
//		api_url        <address with a star>
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
//		authorizer <name> jwt {
//			...
//		}
//		authorizer <name> lambda <function>[:<qualifier>] {
//			...
//		}
//		usage_plan <name> {
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
	return readBlock(d, "hearth option '%s'", slices.Concat([]option{
		{"data_dir", into(text, &a.DataDir)},
		{"redis", valid(a.Redis.unmarshal, &a.Redis, func() error { return redisstore.CheckURL(a.Redis.URL) })},
		{"node", into(text, &a.Node)},
		{"peer_address", into(text, &a.PeerAddress)},
		{"memory_budget", into(megabytes, &a.MemoryBudget)},
		{"memory_overcommit", into(factor, &a.MemoryOvercommit)},
		{"body_memory", valid(into(megabytes, &a.BodyMemory), nil, a.checkBodyMemory)},
		{"code_storage", into(megabytes, &a.CodeStorage)},
		{"concurrency", into(number(1), &a.Concurrency)},
		{"queue", into(number(1), &a.Queue)},
		{"queue_timeout", into(durationOrOff, &a.QueueTimeout)},
		{"cold_starts", into(number(1), &a.ColdStarts)},
		{"stems", into(optionalNumber(0), &a.Stems)},
		{"compile_cache", into(oneOf("on", "off"), &a.CompileCache)},
		{"enforce_roles", into(oneOf("on", "off"), &a.EnforceRoles)},
		{"tracing", into(readTracing, &a.Tracing)},
		{"zygotes", into(oneOf("on", "off", "all"), &a.Zygotes)},
		{"idle_timeout", into(duration, &a.IdleTimeout)},
		{"account", valid(into(text, &a.Account), &a.Account, a.checkAccount)},
		{"region", into(text, &a.Region)},
		{"access_key", a.unmarshalAccessKey},
		{"function_url", valid(into(text, &a.FunctionURL), &a.FunctionURL, func() error { return (&App{FunctionURL: a.FunctionURL}).checkFunctionURL() })},
		{"api_url", valid(into(text, &a.APIURL), &a.APIURL, func() error { return (&App{APIURL: a.APIURL}).checkAPIURL() })},
		{"ignore", valid(into(texts, &a.Ignore), &a.Ignore, func() error { return lambda.CheckIgnore(a.Ignore) })},
		{"ignore_resources", into(texts, &a.IgnoreResources)},
	}, a.serviceOptions(), []option{
		{"aws_endpoint", a.unmarshalEndpoint},
		{"gateway", into(service, &a.Gateway)},
		{"async", a.Async.unmarshal},
		{"event_source", a.unmarshalEventSource},
		{"schedule", a.unmarshalSchedule},
		{"runtimes", into(pairs("runtime"), &a.Runtimes)},
		{"sandbox", a.Sandbox.unmarshal},
		{"network", valid(a.unmarshalNetwork, &a.Connectivity, a.checkConnectivity)},
		{"reach", valid(into(texts, &a.Reach), &a.Connectivity, a.checkConnectivity)},
		{"logs", a.Logs.unmarshal},
		{"authorizer", a.unmarshalAuthorizer},
		{"usage_plan", a.unmarshalUsagePlan},
		{"function", a.unmarshalFunction},
	}))
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
	return readBlock(d, "redis option '%s'", []option{
		{"prefix", into(text, &r.Prefix)},
		{"secret", into(text, &r.Secret)},
		{"unprotected", into(present, &r.Unprotected)},
	})
}

func (a *Async) unmarshal(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	return readBlock(d, "async option '%s'", []option{
		{"per_function", into(number(1), &a.PerFunction)},
		{"concurrency", into(number(1), &a.Concurrency)},
		{"max_waiting", into(number(1), &a.MaxWaiting)},
	})
}

func (l *Logs) unmarshal(d *caddyfile.Dispenser) error {
	return readBlock(d, "logs option '%s'", []option{
		{"retention", into(duration, &l.Retention)},
		{"max_file", into(megabytes, &l.MaxFile)},
		{"max_total", into(megabytes, &l.MaxTotal)},
	})
}

// An awsService is a service that aws_endpoint can set.
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

// unmarshalEndpoint reads aws_endpoint [SERVICE] URL. It sets the endpoint of one service, or
// of all services that have no other.
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

// service reads a block of a service. Values that only aws_endpoint has set stay.
func service(d *caddyfile.Dispenser, to **Service) error {
	if *to == nil {
		*to = new(Service)
	}
	name := d.Val()
	if d.NextArg() {
		return d.ArgErr()
	}
	options := (*to).options()
	if name == "s3" {
		options = append(options, option{"notify", into(text, &(*to).Notify)})
	}
	return readBlock(d, name+" option '%s'", options)
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

func (s *Sandbox) unmarshal(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		if d.Val() != "on" && d.Val() != "off" {
			return d.Errf("sandbox is on or off, not '%s'", d.Val())
		}
		s.Mode = d.Val()
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	return readBlock(d, "sandbox option '%s'", []option{
		{"allow_admin_endpoint", into(present, &s.AllowAdminEndpoint)},
		{"bwrap", into(text, &s.Bwrap)},
	})
}

var (
	_ caddyfile.Unmarshaler = (*App)(nil)
	_ caddyfile.Unmarshaler = (*FunctionHandler)(nil)
	_ caddyfile.Unmarshaler = (*LambdaAPI)(nil)
	_ caddyfile.Unmarshaler = (*Receive)(nil)
	_ caddyfile.Unmarshaler = (*FunctionURLs)(nil)
)
