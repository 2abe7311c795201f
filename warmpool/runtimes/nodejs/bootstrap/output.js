'use strict';

// console, stdout and stderr become log frames, so that they stay in order with
// each other and tied to their invocation.
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html

const { format } = require('util');
const { sendLog } = require('./channel.js');

const LEVELS = { trace: 'TRACE', debug: 'DEBUG', log: 'INFO', info: 'INFO', warn: 'WARN', error: 'ERROR', fatal: 'FATAL' };
const ORDER = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];

// install replaces them. current() is {seq, requestId} of the invocation that
// runs, seq 0 outside.
function install(current) {
  const asJSON = process.env.AWS_LAMBDA_LOG_FORMAT === 'JSON';
  const least = asJSON ? Math.max(0, ORDER.indexOf(process.env.AWS_LAMBDA_LOG_LEVEL ?? 'INFO')) : 0;

  const write = (level, args) => {
    const { seq, requestId } = current();
    const descriptor = level === 'ERROR' || level === 'FATAL' || level === 'WARN' ? 2 : 1;
    const timestamp = new Date().toISOString();
    if (!asJSON) {
      sendLog(seq, descriptor, `${timestamp}\t${requestId ?? 'undefined'}\t${level}\t${format(...args)}`);
      return;
    }
    const single = args.length === 1 && args[0] !== null && typeof args[0] === 'object' && !(args[0] instanceof Error);
    let text;
    try {
      text = single && JSON.stringify({ timestamp, level, requestId, message: args[0] });
    } catch { /* circular: as text */ }
    sendLog(seq, descriptor, text || JSON.stringify({ timestamp, level, requestId, message: format(...args) }));
  };
  for (const [method, level] of Object.entries(LEVELS)) {
    console[method] = ORDER.indexOf(level) < least ? () => {} : (...args) => write(level, args);
  }

  // Made when they are first asked for: most functions never do.
  for (const [name, fd] of [['stdout', 1], ['stderr', 2]]) {
    let stream;
    Object.defineProperty(process, name, {
      configurable: true,
      enumerable: true,
      get: () => (stream ??= makeStream(fd, current)),
    });
  }
  return write;
}

function makeStream(fd, current) {
  const { Writable } = require('stream');
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, encoding, callback) {
      const text = typeof chunk === 'string' ? chunk : chunk.toString('utf8');
      sendLog(current().seq, fd, text);
      callback();
    },
  });
  stream.fd = fd;
  stream.isTTY = false;
  stream._type = 'pipe';
  stream._isStdio = true;
  stream.destroySoon = stream.destroy = () => stream; // as the real ones
  return stream;
}

module.exports = { install };
