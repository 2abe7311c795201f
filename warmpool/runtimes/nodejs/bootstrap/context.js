'use strict';

// The context object of an invocation: a plain object of its own properties, as
// Lambda's is, because wrappers copy it with { ...context }.
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-context.html

const now = Date.now;

// makeContexts returns the function that makes them, for the function of init.
function makeContexts(init) {
  const functionVersion = init.function_version;
  const functionName = init.function_name;
  const memoryLimitInMB = String(init.memory_mb);
  const logGroupName = init.log_group;
  const logStreamName = init.log_stream;
  const ownArn = init.invoked_function_arn;

  return ({ requestId, deadline, arn, clientContext, identity }, succeed, fail, done) => ({
    callbackWaitsForEmptyEventLoop: true,
    succeed,
    fail,
    done,
    functionVersion,
    functionName,
    memoryLimitInMB,
    logGroupName,
    logStreamName,
    clientContext: clientContext === '' ? undefined : parse(clientContext, 'ClientContext'),
    identity: identity === '' ? undefined : parse(identity, 'CognitoIdentity'),
    invokedFunctionArn: arn === '' ? ownArn : arn,
    awsRequestId: requestId,
    getRemainingTimeInMillis: () => deadline - now(),
  });
}

function parse(json, name) {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new Error(`Cannot parse ${name} as json: ${error}`);
  }
}

module.exports = { makeContexts };
