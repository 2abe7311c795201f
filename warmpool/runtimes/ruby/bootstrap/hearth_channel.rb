# frozen_string_literal: true

require 'monitor'

module Hearth
  # Frames between gateway and runtime, as laid out in frame.go of package runtimes.
  class Channel
    READY = 16
    INIT_ERROR = 17
    RESULT = 18
    ERROR = 19
    LOG = 20
    BOOTED = 24

    HEAD = 'CCvVVV' # magic, kind, length of meta, length of payload, sequence number, value
    HEAD_SIZE = 16
    MAGIC = 0xfe
    PACKET_SIZE = 4096
    MAX_LOG = 1 << 20 # a longer text goes in pieces

    def initialize(requests, replies)
      @in = IO.for_fd(requests, 'rb')
      @out = IO.for_fd(replies, 'wb')
      @out.sync = true
      [@in, @out].each { |io| io.close_on_exec = true }
      @lock = Monitor.new # threads of the function print while a reply is written
      @process = Process.pid
    end

    # The next whole frame, which is the claim on it; nil when there are no more.
    def receive
      frame = @in.sysread(PACKET_SIZE)
      size = HEAD_SIZE + frame.unpack1('V', offset: 4)
      # Never more than is missing: the next frame may be in the pipe already.
      frame << @in.sysread(size - frame.bytesize) while frame.bytesize < size
      frame.bytesize > size ? frame.byteslice(0, size) : frame # a packet may be filled up
    rescue EOFError
      nil
    end

    def send_frame(kind, seq, value, payload)
      exit!(0) if left? # a function that forks, and returns in the child too
      @lock.synchronize do
        @out.write([MAGIC, kind, 0, payload.bytesize, seq, value].pack(HEAD) << payload.b)
      end
    end

    def log(seq, stream, text)
      text = text.b
      begin
        send_frame(LOG, seq, stream, text.byteslice(0, MAX_LOG))
        text = text.byteslice(MAX_LOG..) || ''
      end until text.empty?
    end

    # Whether this process is a fork of the runtime, which has no part in the channel.
    def left?
      Process.pid != @process
    end
  end
end
