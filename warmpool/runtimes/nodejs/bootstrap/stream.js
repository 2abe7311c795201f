'use strict';

// Response streaming: the global awslambda, and the stream that a handler writes
// to. https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html

const { KIND, sendText, sendBytes } = require('./channel.js');
const { RuntimeError } = require('./errors.js');

// Tracing wrappers read and copy these symbols, so they are AWS's.
const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');

const HTTP_TYPE = 'application/vnd.awslambda.http-integration-response';
const CHUNK = 1 << 20; // a longer chunk goes in several frames

const awslambda = {
  streamifyResponse(handler, options) {
    handler[STREAMING] = 'response';
    if (typeof options?.highWaterMark === 'number') handler[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
    return handler;
  },
  HttpResponseStream: class HttpResponseStream {
    // from makes stream an HTTP response with the status and headers of prelude.
    static from(stream, prelude) {
      stream.setContentType(HTTP_TYPE);
      const json = JSON.stringify(prelude);
      stream._onBeforeFirstWrite = (write) => {
        write(json);
        write(new Uint8Array(8));
      };
      return stream;
    }
  },
};

let ResponseStream; // made when it is first needed: most functions never do

// openStream returns the stream of call's response.
function openStream(handler, call) {
  ResponseStream ??= makeClass();
  const mark = parseInt(handler[HIGH_WATER_MARK], 10);
  return new ResponseStream(call, mark > 0 ? { highWaterMark: mark } : undefined);
}

function makeClass() {
  const { Writable } = require('stream');
  return class extends Writable {
    #call;
    #type = 'application/octet-stream';
    #begun = false;

    constructor(call, options) {
      super(options);
      this.#call = call;
    }

    setContentType(type) {
      if (this.#begun) throw new RuntimeError('InvalidStreamingOperation', 'Cannot set content-type, too late.');
      this.#type = String(type);
    }

    // As Lambda's: what is neither text nor bytes is written as JSON.
    write(chunk, encoding, callback) {
      const plain = typeof chunk === 'string' || chunk instanceof Uint8Array;
      return super.write(plain ? chunk : JSON.stringify(chunk), encoding, callback);
    }

    _write(chunk, encoding, callback) {
      this.#begin();
      this.#send(chunk);
      callback();
    }

    _final(callback) {
      this.#begin(); // a response without a body has a type, a status and headers too
      callback();
    }

    #begin() {
      if (this.#begun || this.#call.seq === 0) return;
      this.#begun = true;
      sendText(KIND.STREAM_START, this.#call.seq, 0, this.#type, Infinity);
      this._onBeforeFirstWrite?.((chunk) => this.#send(Buffer.from(chunk)));
    }

    #send(bytes) {
      for (let at = 0; at < bytes.length && this.#call.seq !== 0; at += CHUNK) {
        sendBytes(KIND.STREAM_CHUNK, this.#call.seq, 0, bytes.subarray(at, at + CHUNK));
      }
    }
  };
}

function isStreaming(handler) {
  const mode = handler[STREAMING];
  if (mode === undefined || mode === null || mode === false) return false;
  if (mode !== 'response') throw new RuntimeError('MalformedStreamingHandler', 'Only response streaming is supported.');
  return true;
}

module.exports = { awslambda, isStreaming, openStream };
