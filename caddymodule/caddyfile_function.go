package caddymodule

import (
	"strings"

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
//		memory                      <size>
//		timeout                     <duration>
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
	f := new(Function)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := f.unmarshalOption(d); err != nil {
			return err
		}
	}
	if a.Functions == nil {
		a.Functions = make(map[string]*Function)
	}
	a.Functions[name] = f
	return nil
}

func (f *Function) unmarshalOption(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "description":
		return text(d, &f.Description)
	case "runtime":
		return text(d, &f.Runtime)
	case "handler":
		return text(d, &f.Handler)
	case "code":
		return text(d, &f.Code)
	case "layer":
		f.Layers = append(f.Layers, "")
		return text(d, &f.Layers[len(f.Layers)-1])
	case "memory":
		return megabytes(d, &f.Memory)
	case "timeout":
		return duration(d, &f.Timeout)
	case "env":
		return pairs(d, &f.Env, "env")
	case "reserved_concurrency":
		f.ReservedConcurrency = new(int)
		return number(d, f.ReservedConcurrency, 0)
	case "provisioned_concurrency":
		return number(d, &f.ProvisionedConcurrency, 0)
	case "per_environment_concurrency":
		return number(d, &f.PerEnvironmentConcurrency, 1)
	case "ephemeral_storage":
		return megabytes(d, &f.EphemeralStorage)
	case "network":
		return f.unmarshalNetwork(d)
	case "recursive_loop":
		return text(d, &f.RecursiveLoop)
	case "log_format":
		return text(d, &f.LogFormat)
	case "log_level":
		return text(d, &f.LogLevel)
	case "system_log_level":
		return text(d, &f.SystemLogLevel)
	case "log_group":
		return text(d, &f.LogGroup)
	case "reach":
		return f.unmarshalReach(d)
	case "queue_timeout":
		return durationOrOff(d, &f.QueueTimeout)
	case "async":
		return f.Async.unmarshal(d)
	}
	return d.Errf("unrecognized option '%s' of a function that the global option hearth defines; there are description, runtime, handler, code, layer, memory, timeout, env, reserved_concurrency, provisioned_concurrency, per_environment_concurrency, ephemeral_storage, network, reach, recursive_loop, log_format, log_level, system_log_level, log_group, queue_timeout and async", d.Val())
}
