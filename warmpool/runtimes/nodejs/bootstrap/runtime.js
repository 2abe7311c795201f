'use strict';

const channel = require('./channel.js');
const { contextClass } = require('./context.js');
const { RuntimeError, UnhandledPromiseRejection, describe, shape } = require('./errors.js');
const { load } = require('./handler.js');
const output = require('./output.js');
const { awslambda, isStreaming, makeStream } = require('./stream.js');

const { HEAD, KIND, MAX_RESPONSE, frame, sendText } = channel;
const { parse, stringify } = JSON;
const { exit } = process;
const immediate = setImmediate;
const clock = performance.now.bind(performance);

const OUTSIDE = { seq: 0, requestId: undefined };

// The meta part of an invoke frame: a deadline, and the lengths of five strings.
const LENGTHS = HEAD + 8;
const STRINGS = LENGTHS + 10;

// A loop turn per call costs a third of the calls per second. So when calls come
// faster than that, the loop turns once in this many milliseconds.
const TURN = 1;
// A frame that came sooner than this had been waiting (ms).
const AT_ONCE = 0.02;

async function run(init) {
  Object.assign(process.env, init.env);
  globalThis.awslambda = awslambda;

  let current = () => OUTSIDE;
  let single = OUTSIDE;
  if (init.concurrency > 1) {
    const { AsyncLocalStorage } = require('async_hooks');
    const storage = new AsyncLocalStorage();
    current = () => storage.getStore() ?? OUTSIDE;
    current.run = (call, f) => storage.run(call, f);
  } else {
    current = () => single;
  }
  const log = output.install(() => current());
  const Context = contextClass(init);
  let ready = false;

  // What nobody catches ends the process, as on Lambda; the invocation that runs
  // is told why.
  process.on('uncaughtException', (error) => {
    log('ERROR', [`${ready ? 'Uncaught Exception' : 'Init Error'} \t${describe(error)}`]);
    const call = current();
    if (!ready) sendText(KIND.INIT_ERROR, 0, 0, stringify(shape(error)), Infinity);
    else if (call.seq !== 0) sendText(KIND.ERROR, call.seq, 0, stringify(shape(error)), Infinity);
    exit(1);
  });
  process.on('unhandledRejection', (reason, promise) => {
    throw new UnhandledPromiseRejection(reason, promise);
  });

  let handler;
  try {
    handler = await load(init.task_root, init.handler);
  } catch (error) {
    log('ERROR', [`Uncaught Exception \t${describe(error)}`]);
    sendText(KIND.INIT_ERROR, 0, 0, stringify(shape(error)), Infinity);
    exit(1);
  }
  ready = true;
  const streaming = isStreaming(handler);

  // Called when the event loop has nothing left to do but a handler is pending.
  let onEmptyLoop;
  process.on('beforeExit', () => {
    const callback = onEmptyLoop;
    onEmptyLoop = undefined;
    callback?.();
  });

  // invokeByCallback runs a handler that does not return a promise.
  function outcome(event, context) {
    let byCallback;
    const callback = (error, result) => byCallback(error, result, context.callbackWaitsForEmptyEventLoop);
    let settled; // what the callback said before anybody listened
    byCallback = (...args) => { settled ??= args; };
    context.done = callback;
    context.succeed = (result) => byCallback(null, result, false);
    context.fail = (error) => byCallback(error ?? 'handled', undefined, false);

    const returned = handler(event, context, callback);
    if (typeof returned?.then === 'function') {
      return new Promise((resolve, reject) => {
        byCallback = ([, ...rest]) => rest; // too late: the promise counts
        onEmptyLoop = () => reject(new RuntimeError('Runtime.NodejsExit', 'the handler\'s promise is pending, but there is nothing left that could settle it'));
        returned.then(resolve, reject);
      });
    }
    if (returned !== undefined && settled === undefined && handler.length < 3) {
      return returned; // a plain function that returns its result
    }
    return new Promise((resolve, reject) => {
      let over = false;
      byCallback = (error, result, waits) => {
        if (over) return;
        over = true;
        const settle = () => (error !== null && error !== undefined ? reject(error) : resolve(result));
        if (waits) onEmptyLoop = settle;
        else settle();
      };
      onEmptyLoop = () => resolve(null); // it never called back
      if (settled !== undefined) byCallback(...settled);
    });
  }

  function fail(call, error, began) {
    log('ERROR', [`Invoke Error \t${describe(error)}`]);
    const body = stringify(shape(error));
    if (!sendText(KIND.ERROR, call.seq, micros(began), body, MAX_RESPONSE)) {
      const { errorType, errorMessage } = shape(error);
      sendText(KIND.ERROR, call.seq, micros(began), stringify({ errorType, errorMessage: errorMessage.slice(0, 4096), trace: [] }), Infinity);
    }
  }

  const micros = (began) => ((clock() - began) * 1000) >>> 0;

  function reply(call, result, began) {
    let text;
    try {
      text = stringify(result === undefined ? null : result);
      if (text === undefined) text = 'null'; // a function or a symbol
    } catch (error) {
      fail(call, new RuntimeError('Runtime.UnserializableResponse', `Unable to stringify response body: ${error.message}`), began);
      return;
    }
    if (!sendText(KIND.RESULT, call.seq, micros(began), text, MAX_RESPONSE)) {
      fail(call, new RuntimeError('Function.ResponseSizeTooLarge', `Response payload size exceeded maximum allowed payload size (${MAX_RESPONSE} bytes).`), began);
    }
  }

  async function stream(call, event, context, began) {
    const response = makeStream(handler, call.seq);
    const finished = new Promise((resolve, reject) => {
      response.on('finish', resolve);
      response.on('error', reject);
      onEmptyLoop = () => response.end(); // nobody will
    });
    finished.catch(() => {});
    try {
      await handler(event, response, context);
      await finished;
    } catch (error) {
      fail(call, error, began);
      return;
    } finally {
      onEmptyLoop = undefined;
    }
    sendText(KIND.STREAM_END, call.seq, micros(began), '', Infinity);
  }

  let trace = '';
  let text = '';
  // decode reads the frame's call; its event is left in text.
  function decode({ buffer, length }) {
    const idEnd = STRINGS + buffer.readUInt16LE(LENGTHS);
    const traceEnd = idEnd + buffer.readUInt16LE(LENGTHS + 2);
    const arnEnd = traceEnd + buffer.readUInt16LE(LENGTHS + 4);
    const clientEnd = arnEnd + buffer.readUInt16LE(LENGTHS + 6);
    const identityEnd = clientEnd + buffer.readUInt16LE(LENGTHS + 8);
    const slice = (from, to) => (from === to ? '' : buffer.utf8Slice(from, to));
    const wanted = slice(idEnd, traceEnd);
    if (wanted !== trace) {
      trace = wanted;
      if (trace === '') delete process.env._X_AMZN_TRACE_ID;
      else process.env._X_AMZN_TRACE_ID = trace;
    }
    const requestId = buffer.latin1Slice(STRINGS, idEnd);
    text = buffer.utf8Slice(identityEnd, length);
    return {
      seq: buffer.readUInt32LE(8),
      requestId,
      context: new Context(requestId, buffer.readDoubleLE(HEAD), slice(traceEnd, arnEnd), slice(arnEnd, clientEnd), slice(clientEnd, identityEnd)),
    };
  }

  // invoke runs one call. It returns a promise only if the handler has not
  // settled, so that the common case stays within one turn.
  async function invoke(call, event, began) {
    try {
      if (streaming) {
        await stream(call, event, call.context, began);
        return;
      }
      let result = outcome(event, call.context);
      if (typeof result?.then === 'function') result = await result;
      onEmptyLoop = undefined;
      reply(call, result, began);
    } catch (error) {
      onEmptyLoop = undefined;
      fail(call, error, began);
    }
  }

  sendText(KIND.READY, 0, 0, '', Infinity);

  if (init.concurrency > 1) {
    runMany(init.concurrency);
    return;
  }

  let turned = clock();
  for (;;) {
    const asked = clock();
    if (!channel.next()) exit(0);
    const began = clock();
    const call = decode(frame);
    single = call;
    await invoke(call, parse(text), began);
    single = OUTSIDE;
    const now = clock();
    if (began - asked > AT_ONCE || now - turned > TURN) {
      await new Promise(immediate);
      turned = clock();
    }
  }

  // runMany keeps reading while fewer than most calls run.
  function runMany(most) {
    let running = 0;
    let reading = false;
    const readOn = () => {
      if (reading || running >= most) return;
      reading = true;
      channel.nextAsync((next) => {
        reading = false;
        if (next === undefined) exit(0);
        const call = decode(next);
        const event = parse(text);
        running++;
        current.run(call, () => invoke(call, event, clock())).then(() => {
          running--;
          readOn();
        });
        readOn();
      });
    };
    readOn();
  }
}

module.exports = { run };
