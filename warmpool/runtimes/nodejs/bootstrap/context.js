'use strict';

// The context object of an invocation.
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-context.html

const now = Date.now;

function contextClass(init) {
  class Context {
    callbackWaitsForEmptyEventLoop = true;
    functionVersion = init.function_version;
    functionName = init.function_name;
    memoryLimitInMB = String(init.memory_mb);
    logGroupName = init.log_group;
    logStreamName = init.log_stream;
    #deadline;

    constructor(requestId, deadline, arn, clientContext, identity) {
      this.#deadline = deadline;
      this.clientContext = clientContext === '' ? undefined : JSON.parse(clientContext);
      this.identity = identity === '' ? undefined : JSON.parse(identity);
      this.invokedFunctionArn = arn === '' ? init.invoked_function_arn : arn;
      this.awsRequestId = requestId;
    }

    getRemainingTimeInMillis() { return this.#deadline - now(); }
  }
  return Context;
}

module.exports = { contextClass };
