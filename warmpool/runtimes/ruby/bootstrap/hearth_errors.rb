# frozen_string_literal: true

module Hearth
  # Errors as Lambda answers with them.
  module Errors
    HERE = "#{__dir__}/"
    MOST_FRAMES = 100

    # An error that is not the function's.
    class Fault < StandardError
      attr_reader :type

      def initialize(type, message)
        super(message)
        @type = type
      end
    end

    module_function

    # from is Function or Init.
    def describe(error, from)
      return { errorMessage: error.message, errorType: error.type } if error.is_a?(Fault)

      { errorMessage: text(error.message), errorType: "#{from}<#{error.class}>", stackTrace: trace(error) }
    end

    # The trace without the frames of the runtime below the function.
    def trace(error)
      (error.backtrace_locations || []).first(MOST_FRAMES).map(&:to_s).take_while { |line| !line.start_with?(HERE) }
    end

    # After these nobody knows what state the function is in; Lambda ends it too.
    def critical?(error)
      error.is_a?(NameError) || !error.is_a?(StandardError)
    end

    def text(message)
      message.to_s.dup.force_encoding(Encoding::UTF_8).scrub
    end
  end
end
