'use strict';

// One invocation of a handler that answers with a result. What counts is the
// first of: the promise it returned, callback, context.succeed, fail or done, an
// exception, and an event loop with nothing left to do.

const { KIND, MAX_RESPONSE, sendText } = require('./channel.js');
const { RuntimeError, shape } = require('./errors.js');
const { makeContexts } = require('./context.js');

const { parse, stringify } = JSON;
const clock = performance.now.bind(performance);

const TOO_LARGE = 'Function.ResponseSizeTooLarge';

const micros = (began) => ((clock() - began) * 1000) >>> 0;

// sendError answers call with error.
function sendError(call, error) {
  const body = error?.name === TOO_LARGE ? { errorMessage: error.message, errorType: TOO_LARGE } : shape(error);
  const value = micros(call.began);
  if (!sendText(KIND.ERROR, call.seq, value, stringify(body), MAX_RESPONSE)) {
    body.errorMessage = body.errorMessage.slice(0, 4096);
    if (body.trace !== undefined) body.trace = [];
    sendText(KIND.ERROR, call.seq, value, stringify(body), Infinity);
  }
}

// sendResult answers call with result, and returns the error if it cannot.
function sendResult(call, result) {
  let text;
  try {
    text = stringify(result) ?? 'null'; // undefined, a function, a symbol
  } catch (cause) {
    return new RuntimeError('JSONStringifyError', 'Unable to stringify response body', cause);
  }
  if (sendText(KIND.RESULT, call.seq, micros(call.began), text, MAX_RESPONSE)) return undefined;
  const error = new Error(`Response payload size exceeded maximum allowed payload size (${MAX_RESPONSE} bytes).`);
  error.name = TOO_LARGE;
  return error;
}

// makeInvoke returns the function that runs one invocation and calls over(call)
// when it is answered. emptyLoop is undefined when the event loop never is empty.
function makeInvoke(init, handler, logError, emptyLoop, over) {
  const makeContext = makeContexts(init);
  const isAsync = handler.constructor?.name === 'AsyncFunction';
  // Since Node.js 24, and where invocations share a process, Lambda takes what any
  // handler returns as its result. Before, only a promise's: concise functions
  // return something by accident, and answer by callback.
  // https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html
  const major = /^AWS_Lambda_nodejs(\d+)/.exec(init.env.AWS_EXECUTION_ENV)?.[1];
  const returns = handler.length < 3 && (major >= 24 || emptyLoop === undefined);

  function succeeded(call, result) {
    const error = sendResult(call, result);
    if (error === undefined) over(call);
    else failed(call, error);
  }

  function failed(call, error) {
    logError('Invoke Error', error);
    sendError(call, error);
    over(call);
  }

  return (call) => {
    let decided = false;
    const done = (error, result) => {
      if (decided) return;
      decided = true;
      if (error === undefined || error === null) succeeded(call, result);
      else failed(call, error);
    };
    const succeed = (result) => done(null, result);
    const fail = (error) => done(error ?? 'handled');
    const callback = (error, result) => {
      if (decided) return;
      if (error !== undefined && error !== null || emptyLoop === undefined || !context.callbackWaitsForEmptyEventLoop) {
        done(error, result);
        return;
      }
      decided = true;
      emptyLoop(() => succeeded(call, result));
    };

    let context;
    try {
      context = makeContext(call, succeed, fail, done);
      const event = parse(call.text);
      if (event?.ResponseURL !== undefined) require('./answers.js').expect(event.ResponseURL);
      const returned = handler(event, context, callback);
      if (typeof returned?.then === 'function') returned.then(succeed, fail);
      else if (returns) succeed(returned);
      if (decided) return;
    } catch (error) {
      fail(error);
      return;
    }
    emptyLoop?.(() => {
      if (isAsync) fail(new RuntimeError('NodeJsExit', 'The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly caused by a Promise that was never settled. For more information, see https://nodejs.org/docs/latest/api/process.html#exit-codes'));
      else done(null, null); // it never called back
    });
  };
}

module.exports = { clock, makeInvoke, micros, sendError };
