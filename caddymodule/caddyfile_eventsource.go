package caddymodule

import "github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

// unmarshal reads
//
//	event_source <ARN or URL> <function> {
//		topic           <name>
//		group           <name>
//		disabled
//		batch_size      <n>
//		batch_window    <duration>
//		parallelization <n>
//		concurrency     <n>
//		retries         <n>
//		max_age         <duration>
//		tumbling_window <duration>
//		bisect
//		report_failures
//		filter          <pattern>
//		on_failure      <ARN or URL>
//		start           trim_horizon|latest|<time>
//		every           <duration>
//		endpoint        <address>
//		region          <name>
//		access_key      <id> <secret>
//		sasl            plain|scram-sha-256|scram-sha-512 <username> <password>
//		tls {
//			ca   <file>
//			cert <file> <key file>
//		}
//	}
func (e *EventSource) unmarshal(d *caddyfile.Dispenser) error {
	if !d.Args(&e.Source, &e.Function) {
		return d.Err("event_source takes the ARN or URL of a source, and a function")
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	count := func(to **int, least int) error {
		*to = new(int)
		return number(d, *to, least)
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch name := d.Val(); name {
		case "topic":
			err = text(d, &e.Topic)
		case "group":
			err = text(d, &e.Group)
		case "disabled", "bisect", "report_failures":
			*map[string]*bool{"disabled": &e.Disabled, "bisect": &e.Bisect, "report_failures": &e.ReportFailures}[name] = true
			if d.NextArg() {
				err = d.ArgErr()
			}
		case "batch_size":
			err = count(&e.BatchSize, 1)
		case "parallelization":
			err = count(&e.Parallelization, 1)
		case "concurrency":
			err = count(&e.Concurrency, 1)
		case "retries":
			err = count(&e.Retries, 0)
		case "batch_window":
			err = duration(d, &e.BatchWindow)
		case "max_age":
			err = duration(d, &e.MaxAge)
		case "tumbling_window":
			err = duration(d, &e.TumblingWindow)
		case "every":
			err = duration(d, &e.Every)
		case "filter":
			err = texts(d, &e.Filters)
		case "on_failure":
			err = text(d, &e.OnFailure)
		case "start":
			err = text(d, &e.Start)
		case "endpoint", "region", "access_key":
			err = e.Service.option(d)
		case "sasl":
			if !d.Args(&e.SASL, &e.Username, &e.Password) || d.NextArg() {
				err = d.ArgErr()
			}
		case "tls":
			err = e.unmarshalTLS(d)
		default:
			err = d.Errf("unrecognized event_source option '%s'; there are topic, group, disabled, batch_size, batch_window, parallelization, concurrency, retries, max_age, tumbling_window, bisect, report_failures, filter, on_failure, start, every, endpoint, region, access_key, sasl and tls", name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *EventSource) unmarshalTLS(d *caddyfile.Dispenser) error {
	e.TLS = true
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch d.Val() {
		case "ca":
			if err := text(d, &e.CA); err != nil {
				return err
			}
		case "cert":
			if !d.Args(&e.Cert, &e.Key) || d.NextArg() {
				return d.ArgErr()
			}
		default:
			return d.Errf("unrecognized tls option '%s'; there are ca and cert", d.Val())
		}
	}
	return nil
}
