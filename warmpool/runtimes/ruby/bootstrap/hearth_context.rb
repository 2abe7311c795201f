# frozen_string_literal: true

# The context object of an invocation, with the methods that are documented at
# https://docs.aws.amazon.com/lambda/latest/dg/ruby-context.html
class LambdaContext
  attr_reader :aws_request_id, :invoked_function_arn, :log_group_name, :log_stream_name, :function_name, :memory_limit_in_mb,
              :function_version, :identity, :tenant_id, :client_context, :deadline_ms

  def initialize(init, invocation)
    @aws_request_id = invocation.request_id
    @invoked_function_arn = invocation.arn.empty? ? init['invoked_function_arn'] : invocation.arn
    @log_group_name = init['log_group']
    @log_stream_name = init['log_stream']
    @function_name = init['function_name']
    @memory_limit_in_mb = init['memory_mb'].to_s
    @function_version = init['function_version']
    @identity = JSON.parse(invocation.identity) unless invocation.identity.empty?
    @client_context = JSON.parse(invocation.client_context) unless invocation.client_context.empty?
    @deadline_ms = invocation.deadline.to_i
  end

  def get_remaining_time_in_millis
    [@deadline_ms - Process.clock_gettime(Process::CLOCK_REALTIME, :millisecond), 0].max
  end
end
