'use strict';

// One invocation of a handler that streams its response.

const { KIND, sendText } = require('./channel.js');
const { makeContexts } = require('./context.js');
const { RuntimeError } = require('./errors.js');
const { micros, sendError } = require('./invocation.js');
const { openStream } = require('./stream.js');

// makeInvokeStreaming returns what makeInvoke does, for a handler of
// awslambda.streamifyResponse.
function makeInvokeStreaming(init, handler, logError, emptyLoop, over) {
  const makeContext = makeContexts(init);

  return (call) => {
    const stream = openStream(handler, call);
    const fail = (error) => {
      if (call.seq === 0) return;
      logError('Invoke Error', error);
      sendError(call, error);
      over(call);
      stream.destroy();
    };

    const run = async () => {
      const finished = new Promise((resolve, reject) => {
        stream.on('finish', resolve);
        stream.on('error', reject);
      });
      finished.catch(() => {}); // the handler may fail first
      const context = makeContext(call);
      const returned = handler(JSON.parse(call.text), stream, context);
      if (typeof returned?.then !== 'function') throw 'Streaming does not support non-async handlers.'; // eslint-disable-line no-throw-literal -- as Lambda
      await returned;
      await finished;
      sendText(KIND.STREAM_END, call.seq, micros(call.began), '', Infinity);
      over(call);
    };
    emptyLoop?.(() => fail(new RuntimeError('InvalidStreamingOperation', 'Response stream is not finished.')));
    run().catch(fail);
  };
}

module.exports = { makeInvokeStreaming };
