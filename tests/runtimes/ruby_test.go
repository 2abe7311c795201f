package runtimes

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/hearthfn/hearth/tests/harness"
)

const rubyRuntime = "ruby3.3"

func rubyFunction(name, handler, code, more string) string {
	return fmt.Sprintf("function %s {\n runtime %s\n handler %s\n code %s\n timeout 5s\n %s\n}\n", name, rubyRuntime, handler, code, more)
}

const rubyCode = `
require 'json'
require 'stringio'
require_relative 'lib/helper'
require 'greeting' # a gem of the function
$loaded = (defined?($loaded) ? $loaded : 0) + 1

def handler(event:, context:)
  case event['do']
  when 'context'
    raise 'the deadline is odd' unless context.get_remaining_time_in_millis.between?(1, 5000) && context.deadline_ms > 0
    { name: context.function_name, version: context.function_version, memory: context.memory_limit_in_mb, arn: context.invoked_function_arn,
      group: context.log_group_name, stream: context.log_stream_name == ENV['AWS_LAMBDA_LOG_STREAM_NAME'], id: context.aws_request_id.size,
      client: context.client_context, identity: context.identity, own: ENV['OWN'], pwd: Dir.pwd, loaded: $loaded, trace: ENV['_X_AMZN_TRACE_ID'][0, 5] }
  when 'print'
    puts "puts\nof two lines"
    print "pri", "nt\n"
    STDOUT.puts 'to the constant'
    $stderr.puts 'to stderr'
    warn 'warned'
    Logger.new($stdout).info('logged')
    system('echo from a child; x=é日; echo ${#x}')
    nil
  when 'fail' then raise ArgumentError, "asked to fail é"
  when 'name' then nosuchname
  when 'exit' then exit 3
  when 'large' then 'x' * (7 << 20)
  when 'io' then StringIO.new('{"raw": true}')
  when 'text' then "é日"
  when 'greet' then Greeting.hello + Helper.there
  when 'http' then { statusCode: 200, body: 'hello' }
  else event
  end
end

module Shop
  class Cart
    def self.handler(event:, context:) = { cart: event }
  end
end
`

func TestFunctionsInRubyAreServed(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	code := s.Archive("ruby.zip", map[string]string{
		"app.rb": rubyCode, "lib/helper.rb": "module Helper\n def self.there = ' there'\nend\n", "lib/nested.rb": "def nested(event:, context:) = 'nested'\n",
		"vendor/bundle/ruby/3.3.0/specifications/greeting-1.0.gemspec": "Gem::Specification.new { |s| s.name = 'greeting'; s.version = '1.0'; s.summary = ''; s.authors = ['a']; s.files = ['lib/greeting.rb']; s.require_paths = ['lib'] }\n",
		"vendor/bundle/ruby/3.3.0/gems/greeting-1.0/lib/greeting.rb":   "module Greeting\n def self.hello = 'hello'\nend\n",
		"broken.rb": "def handler(\n", "raises.rb": "raise 'at load'\n",
	})
	layer := s.Archive("layer.zip", map[string]string{"ruby/lib/layered.rb": "LAYERED = 'from the layer'\n"})
	a := &harness.API{Server: s}
	a.Configure(rubyFunction("ruby", "app.handler", code, "env OWN mine")+rubyFunction("class", "app.Shop::Cart.handler", code, "")+
		rubyFunction("nested", "lib/nested.nested", code, "")+rubyFunction("missing", "app.nosuch", code, "")+rubyFunction("nofile", "nosuch.handler", code, "")+
		rubyFunction("broken", "broken.handler", code, "")+rubyFunction("raises", "raises.handler", code, "")+
		rubyFunction("layered", "app.handler", s.Code("layered", map[string]string{"app.rb": "require 'layered'\ndef handler(event:, context:) = LAYERED\n"}), "layer "+layer),
		"function /ruby ruby")
	a.Start()
	a.Connect()
	a.AwaitStem("ruby")
	for event, want := range map[string]string{
		`{"a":[1,2.5,null,"é"]}`: `{"a":[1,2.5,null,"é"]}`, `{"do":"io"}`: `{"raw": true}`, `{"do":"text"}`: `"é日"`, `{"do":"greet"}`: `"hello there"`,
		`{"do":"context"}`: `{"name":"ruby","version":"$LATEST","memory":"128","arn":"arn:aws:lambda:us-east-1:000000000000:function:ruby","group":"/aws/lambda/ruby",` +
			`"stream":true,"id":36,"client":null,"identity":null,"own":"mine","pwd":"/var/task","loaded":1,"trace":"Root="}`,
		`{"do":"print"}`: `null`,
	} {
		if out := a.Call("ruby", event); string(out.Payload) != want || out.FunctionError != nil {
			t.Errorf("%s:\n got %s\nwant %s", event, out.Payload, want)
		}
	}
	a.WantLog("ruby", "INIT_START Runtime Version: ruby:3.", "puts\n\tof two lines", " print\n", "to the constant", "to stderr", "warned", " -- : logged", "from a child", " 2\n", "START RequestId", "REPORT RequestId")
	if n := a.FromStems(rubyRuntime); n != 1 {
		t.Errorf("%v cold starts from a stem, want 1", n)
	}
	a.WantCall("class", `{"id":1}`, `{"cart":{"id":1}}`)
	a.WantCall("nested", `{}`, `"nested"`)
	a.WantCall("layered", `{}`, `"from the layer"`)
	a.Get("/ruby").Want(t, 200, "")
	for _, c := range []struct{ function, event, kind, message, trace string }{
		{"ruby", `{"do":"fail"}`, "Function<ArgumentError>", "asked to fail é", "/var/task/app.rb:24:in "},
		{"ruby", `{"do":"large"}`, "Function.ResponseSizeTooLarge", "Response payload size exceeded maximum allowed payload size (6291556 bytes).", ""},
		{"ruby", `{"do":"name"}`, "Function<NameError>", "nosuchname", "/var/task/app.rb:25:in "},
		{"ruby", `{"do":"exit"}`, "Function<SystemExit>", "exit", "/var/task/app.rb:26:in "},
		{"missing", `{}`, "Function<NoMethodError>", "nosuch", ""},
		{"nofile", `{}`, "Init<LoadError>", "cannot load such file -- nosuch", ""},
		{"broken", `{}`, "Init<SyntaxError>", "broken.rb", ""},
		{"raises", `{}`, "Init<RuntimeError>", "at load", "/var/task/raises.rb:1:in "},
	} {
		out := a.Call(c.function, c.event)
		var e struct {
			ErrorType, ErrorMessage string
			StackTrace              []string
		}
		if err := json.Unmarshal(out.Payload, &e); err != nil || aws.ToString(out.FunctionError) != "Unhandled" {
			t.Errorf("%s %s: got %s, %v", c.function, c.event, out.Payload, err)
			continue
		}
		if e.ErrorType != c.kind || !strings.Contains(e.ErrorMessage, c.message) || c.trace != "" && (len(e.StackTrace) == 0 || !strings.HasPrefix(e.StackTrace[0], c.trace)) {
			t.Errorf("%s %s: got %s", c.function, c.event, out.Payload)
		}
		for _, line := range e.StackTrace {
			if strings.Contains(line, "/var/runtime") {
				t.Errorf("%s %s: the runtime is in the trace: %s", c.function, c.event, out.Payload)
			}
		}
	}
	a.WantLog("ruby", "Error raised from handler method", `"errorType": "Function<ArgumentError>"`, "Critical exception from handler")
	a.WantCall("ruby", `{"b":1}`, `{"b":1}`)
}
