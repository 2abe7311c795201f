# frozen_string_literal: true

module Hearth
  # What an invoke frame says.
  class Invocation
    attr_reader :seq, :deadline, :request_id, :trace, :arn, :client_context, :identity, :event

    def initialize(frame)
      meta, = frame.unpack('v', offset: 2)
      @seq, = frame.unpack('V', offset: 8)
      @deadline, *lengths = frame.unpack('Ev5', offset: Channel::HEAD_SIZE)
      at = Channel::HEAD_SIZE + 18
      @request_id, @trace, @arn, @client_context, @identity = lengths.map do |size|
        text = frame.byteslice(at, size).force_encoding(Encoding::UTF_8)
        at += size
        text
      end
      @event = frame.byteslice(Channel::HEAD_SIZE + meta..).force_encoding(Encoding::UTF_8)
    end
  end

  # The runtime of one function: init, then one invocation after the other.
  class Runtime
    # Lambda's limit for a synchronous response in bytes.
    MAX_RESPONSE = 6_291_556
    TOO_LARGE = "Response payload size exceeded maximum allowed payload size (#{MAX_RESPONSE} bytes)."

    def initialize(channel)
      @channel = channel
      @trace = Trace.new
    end

    def run
      # From here on this is a stem: it waits to be told which function it is.
      @channel.send_frame(Channel::BOOTED, 0, 0, '')
      frame = @channel.receive or exit!(0)
      @init = JSON.parse(frame.byteslice(Channel::HEAD_SIZE..).force_encoding(Encoding::UTF_8))
      exit!(252) unless load_function # Lambda's status
      while (frame = @channel.receive)
        invoke(Invocation.new(frame))
      end
      exit(0) # with the function's at_exit blocks
    end

    private

    def load_function
      STDOUT.sync = STDERR.sync = true
      @stdout = $stdout = Output.new(@channel, STDOUT)
      @stderr = $stderr = Output.new(@channel, STDERR)
      Logger.prepend(LoggerWithRequest)
      handler = prepare
      begin
        @call = find(handler)
      rescue Exception => e # as much of it as Lambda's: a file may exit
        finish_output
        fail_with(Channel::INIT_ERROR, 0, e, 'Init', "Init error when loading handler #{handler}")
        return false
      end
      finish_output
      @channel.send_frame(Channel::READY, 0, 0, '')
      true
    end

    # Takes on the function's variables and folders. Returns the name of the handler.
    def prepare
      handler = @init['handler']
      if @init['wrapped']
        handler = ENV['_HANDLER'].to_s # as a wrapper has left it
      else
        @init['env'].each { |name, value| ENV[name] = value }
      end
      root = @init['task_root']
      libraries = "#{@init['layer_root'] || '/opt'}/ruby/lib"
      Dir.chdir(root)
      $LOAD_PATH.unshift(root)
      $LOAD_PATH.push(libraries)
      # Of children. When this process starts, a file of the function's might stand in for
      # one of the runtime's.
      ENV['RUBYLIB'] ||= "#{root}:#{ENV['LAMBDA_RUNTIME_DIR']}/lib:#{libraries}"
      # The variables are the function's now. Gems of the machine come last.
      Gem.paths = { 'GEM_PATH' => [*ENV['GEM_PATH'], *Gem.default_path].join(':') }
      handler
    end

    def find(name)
      file, *path = name.split('.')
      unless [1, 2].include?(path.size)
        raise ArgumentError, "Invalid handler #{name}, must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD"
      end

      require file
      method = path.last
      return ->(event, context) { Object.new.__send__(method, event: event, context: context) } if path.size == 1

      ->(event, context) { Kernel.const_get(path.first).send(method, event: event, context: context) }
    end

    def invoke(invocation)
      began = Process.clock_gettime(Process::CLOCK_MONOTONIC, :microsecond)
      @stdout.seq = @stderr.seq = @seq = invocation.seq
      $_global_aws_request_id = invocation.request_id
      @trace.header = invocation.trace
      begin
        result = encode(@call.call(JSON.parse(invocation.event), LambdaContext.new(@init, invocation)))
        raise Errors::Fault.new('Function.ResponseSizeTooLarge', TOO_LARGE) if result.bytesize > MAX_RESPONSE
      rescue Exception => e # all that a handler may raise, exit too
        finish_output
        critical = Errors.critical?(e)
        fail_with(Channel::ERROR, took(began), e, 'Function', critical ? 'Critical exception from handler' : 'Error raised from handler method')
        exit(255) if critical
        return
      end
      finish_output
      @channel.send_frame(Channel::RESULT, @seq, took(began), result)
    end

    # A stream is the answer as it is.
    def encode(result)
      case result
      when StringIO, IO then result.read
      else result.to_json
      end
    end

    def took(began)
      Process.clock_gettime(Process::CLOCK_MONOTONIC, :microsecond) - began
    end

    def fail_with(kind, value, error, from, message)
      body = Errors.describe(error, from)
      @channel.log(@seq || 0, 1, message)
      @channel.log(@seq || 0, 1, JSON.pretty_generate(body))
      @channel.send_frame(kind, @seq || 0, value, JSON.generate(body))
    end

    def finish_output
      @stdout.finish
      @stderr.finish
    end
  end
end
