'use strict';

// console, stdout and stderr become log frames, so that they stay in order with
// each other and tied to their invocation.
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html

const { format } = require('util');
const { KIND, sendBytes, sendText } = require('./channel.js');
const { describe } = require('./errors.js');

const METHODS = { trace: 'TRACE', debug: 'DEBUG', log: 'INFO', info: 'INFO', warn: 'WARN', error: 'ERROR', fatal: 'FATAL' };
const ORDER = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];

// What a log frame holds at most, in bytes or in UTF-16 code units of text; what
// is longer becomes several.
const MAX_LOG = 1 << 20;

function send(seq, descriptor, text) {
  for (let at = 0; at < text.length || at === 0; at += MAX_LOG) {
    const part = text.length <= MAX_LOG ? text : text.slice(at, at + MAX_LOG);
    sendText(KIND.LOG, seq, descriptor, part, Infinity);
  }
}

// install replaces them. current() is the {seq, requestId} of the invocation
// that runs. It returns the function that logs an error of the function's.
function install(current, env) {
  const asJSON = env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === 'JSON';
  const least = ORDER.indexOf(env.AWS_LAMBDA_LOG_LEVEL?.toUpperCase()); // -1: everything
  const toLine = asJSON ? jsonLine : textLine;

  const write = (level, message, rest) => {
    const { seq, requestId } = current();
    const descriptor = ORDER.indexOf(level) < 3 ? 1 : 2;
    send(seq, descriptor, toLine(new Date().toISOString(), requestId, level, message, rest));
  };
  for (const [method, level] of Object.entries(METHODS)) {
    const silent = level !== 'FATAL' && ORDER.indexOf(level) < least;
    console[method] = silent ? () => {} : (message, ...rest) => write(level, message, rest);
  }

  // Made when they are first asked for: most functions never do.
  for (const [name, descriptor] of [['stdout', 1], ['stderr', 2]]) {
    let stream;
    Object.defineProperty(process, name, {
      configurable: true,
      enumerable: true,
      get: () => (stream ??= makeStream(descriptor, current)),
    });
  }

  return (what, error) => {
    if (asJSON) write('ERROR', error instanceof Error ? error : new Error(String(error)), []);
    else write('ERROR', what, [`\t${describe(error)}`]);
  };
}

function textLine(timestamp, requestId, level, message, rest) {
  return `${timestamp}\t${requestId}\t${level}\t${format(message, ...rest)}`;
}

function jsonLine(timestamp, requestId, level, message, rest) {
  const line = { timestamp, level, requestId };
  if (rest.length > 0) {
    line.message = format(message, ...rest);
    Object.assign(line, errorFields([message, ...rest].find((value) => value instanceof Error)));
    return JSON.stringify(line);
  }
  try {
    return JSON.stringify({ ...line, message }, (key, value) => (value instanceof Error ? { ...errorFields(value), ...value } : value));
  } catch {
    return JSON.stringify({ ...line, message: format(message) }); // something circular, or a BigInt
  }
}

function errorFields(error) {
  if (error === undefined) return undefined;
  return {
    errorType: error.constructor?.name ?? 'UnknownError',
    errorMessage: error.message,
    stackTrace: typeof error.stack === 'string' ? error.stack.split('\n') : [],
  };
}

function makeStream(descriptor, current) {
  const { Writable } = require('stream');
  const stream = new Writable({
    // Each write goes out at once: whoever writes without a newline and hangs
    // wants to see it.
    write(chunk, encoding, callback) {
      for (let at = 0; at < chunk.length; at += MAX_LOG) {
        sendBytes(KIND.LOG, current().seq, descriptor, chunk.subarray(at, at + MAX_LOG));
      }
      callback();
    },
  });
  stream.fd = descriptor;
  stream._type = 'pipe';
  stream._isStdio = true;
  stream.destroySoon = stream.destroy = () => stream; // as the real ones
  return stream;
}

module.exports = { install };
