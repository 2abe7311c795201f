# frozen_string_literal: true

# The start of Hearth's Ruby runtime: see doc.go of package ruby.

require 'json'
require 'logger'
require 'stringio'
require_relative 'hearth_channel'
require_relative 'hearth_context'
require_relative 'hearth_errors'
require_relative 'hearth_output'
require_relative 'hearth_runtime'
require_relative 'hearth_trace'

Hearth::Runtime.new(Hearth::Channel.new(3, 4)).run
