# frozen_string_literal: true

module Hearth
  # The trace header of the running call, in the environment variable _X_AMZN_TRACE_ID.
  # Every call has another header, and the C library never frees a value that ENV sets.
  # So after some calls the variable lies in memory of our own, which each call writes
  # anew. Fiddle, which that takes, is too slow to load for a function's first call.
  class Trace
    NAME = '_X_AMZN_TRACE_ID'
    FREE = 1000 # calls
    SIZE = 8192 # bytes, of the name too; headers have at most a quarter of it

    def initialize
      @calls = 0
      @free = FREE
    end

    # Sets the header, "" for none.
    def header=(value)
      if value.empty?
        ENV.delete(NAME)
      elsif (@calls += 1) <= @free || value.bytesize > SIZE / 2
        ENV[NAME] = value
      else
        write("#{NAME}=#{value}\0")
      end
    end

    private

    def write(text)
      unless @memory
        require 'fiddle'
        @memory = Fiddle::Pointer.malloc(SIZE)
        @put = Fiddle::Function.new(Fiddle::Handle::DEFAULT['putenv'], [Fiddle::TYPE_VOIDP], Fiddle::TYPE_INT)
      end
      @memory[0, text.bytesize] = text
      @put.call(@memory) # the function may have set the variable itself
    rescue LoadError
      @free = Float::INFINITY
      ENV[NAME] = text.delete_prefix("#{NAME}=").chomp("\0")
    end
  end
end
