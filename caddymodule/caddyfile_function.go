package caddymodule

import (
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/hearthfn/hearth/warmpool/function"
)

// unmarshalFunction parses:
//
//	function <name> {
//		description                 <text>
//		runtime                     <runtime>
//		handler                     <handler>
//		code                        <folder>
//		layer                       <layer>
//		memory                      <size>
//		timeout                     <duration>
//		role                        <arn>
//		env                         <name> <value>
//		env {
//			<name> <value>
//		}
//		reserved_concurrency        <n>
//		provisioned_concurrency     <n>
//		per_environment_concurrency <n>
//		ephemeral_storage           <size>
//		recursive_loop              terminate|allow
//		log_format                  text|json
//		log_level                   trace|debug|info|warn|error|fatal
//		system_log_level            debug|info|warn
//		log_group                   <name>
//		network                     private|host|none {
//			deny  <range>...
//			allow <range[:port]>...
//		}
//		reach                       <address>...
//		queue_timeout               <duration>|off
//		async {
//			retries    <n>
//			max_age    <duration>
//			on_success <destination>
//			on_failure <destination>
//		}
//	}
func (a *App) unmarshalFunction(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	name := d.Val()
	if strings.HasPrefix(name, "/") || strings.HasPrefix(name, "@") || name == "*" {
		return d.Errf("function '%s': in the global option hearth, function defines a function and takes no matcher; the directive function of a site takes one", name)
	}
	if !function.ValidName(name) {
		return d.Errf("function name '%s': 1 to 64 letters, digits, hyphens and underscores are allowed", name)
	}
	if a.Functions[name] != nil {
		return d.Errf("function '%s' is defined twice", name)
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	f, lines, file, line := new(Function), make(optionLines), d.File(), d.Line()
	if err := f.unmarshal(d, lines); err != nil {
		return err
	}
	// Of a function with nothing of its code, App.Provision says what is missing.
	if f.Runtime+f.Handler+f.Code != "" && !hasPlaceholder(f) {
		if _, err := f.values(name, caddy.NewReplacer()); err != nil {
			return lines.place(err, file, line)
		}
	}
	if a.Functions == nil {
		a.Functions = make(map[string]*Function)
	}
	a.Functions[name] = f
	return nil
}

func (f *Function) unmarshal(d *caddyfile.Dispenser, lines optionLines) error {
	return readBlock(d, "option '%s' of a function that the global option hearth defines", lines.of([]option{
		{"description", into(text, &f.Description)},
		{"runtime", into(text, &f.Runtime)},
		{"handler", into(text, &f.Handler)},
		{"code", into(text, &f.Code)},
		{"layer", into(oneMore, &f.Layers)},
		{"memory", into(megabytes, &f.Memory)},
		{"timeout", into(duration, &f.Timeout)},
		{"env", into(pairs("env"), &f.Env)},
		{"role", into(text, &f.Role)},
		{"reserved_concurrency", into(optionalNumber(0), &f.ReservedConcurrency)},
		{"provisioned_concurrency", into(number(0), &f.ProvisionedConcurrency)},
		{"per_environment_concurrency", into(number(1), &f.PerEnvironmentConcurrency)},
		{"ephemeral_storage", into(megabytes, &f.EphemeralStorage)},
		{"network", f.unmarshalNetwork},
		{"reach", into(texts, &f.Reach)},
		{"recursive_loop", into(text, &f.RecursiveLoop)},
		{"log_format", into(text, &f.LogFormat)},
		{"log_level", into(text, &f.LogLevel)},
		{"system_log_level", into(text, &f.SystemLogLevel)},
		{"log_group", into(text, &f.LogGroup)},
		{"queue_timeout", into(durationOrOff, &f.QueueTimeout)},
		{"async", f.Async.unmarshal},
	}))
}

func (f *FunctionAsync) unmarshal(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	return readBlock(d, "async option '%s'", []option{
		{"retries", into(optionalNumber(0), &f.Retries)},
		{"max_age", into(duration, &f.MaxAge)},
		{"on_success", into(text, &f.OnSuccess)},
		{"on_failure", into(text, &f.OnFailure)},
	})
}

// unmarshalNetwork reads
//
//	network private|host|none {
//		deny  <range>...
//		allow <range[:port]>...
//	}
func (c *Connectivity) unmarshalNetwork(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		c.Network = d.Val()
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	before := len(c.NetworkDeny) + len(c.NetworkAllow)
	if err := readBlock(d, "network option '%s'", []option{
		{"deny", into(texts, &c.NetworkDeny)},
		{"allow", into(texts, &c.NetworkAllow)},
	}); err != nil {
		return err
	}
	if c.Network == "" {
		if len(c.NetworkDeny)+len(c.NetworkAllow) == before { // neither a network nor a rule
			return d.ArgErr()
		}
		c.Network = string(function.NetworkPrivate)
	}
	return nil
}
