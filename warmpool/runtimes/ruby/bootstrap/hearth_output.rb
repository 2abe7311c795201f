# frozen_string_literal: true

module Hearth
  # $stdout or $stderr of a function: each line becomes a log frame, tied to its
  # invocation, and what one puts prints is one event.
  class Output
    attr_accessor :seq

    def initialize(channel, io)
      @channel = channel
      @io = io
      @seq = 0
      @tail = String.new(encoding: Encoding::BINARY)
      @lock = Monitor.new
    end

    def write(*texts)
      return @io.write(*texts) if @channel.left?

      size = 0
      @lock.synchronize do
        texts.each do |text|
          bytes = text.to_s.b
          size += bytes.bytesize
          @tail << bytes
        end
        while (line = @tail.slice!(/\A[^\n]*\n/n))
          emit(line.chomp("\n"))
        end
      end
      size
    end

    def puts(*values)
      return @io.puts(*values) if @channel.left?

      text = StringIO.new
      text.puts(*values)
      @lock.synchronize do
        event = @tail.slice!(0..) << text.string.b
        emit(event.chomp("\n"))
      end
      nil
    end

    # Sends what has no line feed yet: its invocation is over.
    def finish
      @lock.synchronize { emit(@tail.slice!(0..)) unless @tail.empty? }
    end

    def print(*values)
      write(*values)
      nil
    end

    def <<(value)
      write(value)
      self
    end

    def printf(format, *values)
      write(format(format, *values))
      nil
    end

    def putc(value)
      write(value.is_a?(Integer) ? (value & 0xff).chr : value.to_s[0])
      value
    end

    def syswrite(text) = write(text)

    def write_nonblock(text, **) = write(text)

    def flush = self

    def fsync = 0

    def sync = true

    def sync=(value)
      value
    end

    def binmode = self

    def set_encoding(*) = self

    def external_encoding = Encoding::UTF_8

    def tty? = false

    alias isatty tty?

    def closed? = false

    def close = nil

    def fileno = @io.fileno

    # For spawn(out: $stdout) and its like: the gateway reads the real descriptors too.
    def to_io = @io

    def reopen(*arguments) = @io.reopen(*arguments)

    private

    def emit(text)
      @channel.log(@seq, @io.fileno, text)
    end
  end

  # A logger that writes to the function's log has the request's id in its lines.
  module LoggerWithRequest
    # The usual line, with the id.
    class Formatter < Logger::Formatter
      def call(severity, time, progname, msg)
        format("%s, [%s #%d] %5s %s -- %s: %s\n", severity[0], format_datetime(time), Process.pid, severity,
               $_global_aws_request_id, progname, msg2str(msg))
      end
    end

    def initialize(device = nil, *arguments, formatter: nil, **options)
      formatter ||= Formatter.new if device.nil? || [$stdout, $stderr, STDOUT, STDERR].include?(device)
      device = $stdout if device.equal?(STDOUT)
      device = $stderr if device.equal?(STDERR)
      super(device, *arguments, formatter: formatter, **options)
    end
  end
end
