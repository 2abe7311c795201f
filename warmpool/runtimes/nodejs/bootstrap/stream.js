'use strict';

// Response streaming: the global awslambda.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html

const { KIND, sendText, sendBytes } = require('./channel.js');

const STREAMING = Symbol('hearth.streaming');
const HIGH_WATER_MARK = Symbol('hearth.highWaterMark');
const BEFORE_FIRST = Symbol('hearth.beforeFirstWrite');

const HTTP_TYPE = 'application/vnd.awslambda.http-integration-response';
const CHUNK = 1 << 20; // a longer chunk goes in several frames

const awslambda = {
  streamifyResponse(handler, options) {
    handler[STREAMING] = true;
    handler[HIGH_WATER_MARK] = options?.highWaterMark;
    return handler;
  },
  HttpResponseStream: class HttpResponseStream {
    // from makes stream an HTTP response with the status and headers of prelude.
    static from(stream, prelude) {
      stream.setContentType(HTTP_TYPE);
      const json = JSON.stringify(prelude);
      stream[BEFORE_FIRST] = (write) => {
        write(Buffer.from(json));
        write(Buffer.alloc(8));
      };
      return stream;
    }
  },
};

// makeStream returns the stream that a streaming handler writes to.
function makeStream(handler, seq) {
  const { Writable } = require('stream');
  class ResponseStream extends Writable {
    #type = 'application/octet-stream';
    begun = false;

    setContentType(type) {
      if (this.begun) throw new Error('Cannot set content-type, too late.');
      this.#type = String(type);
    }

    begin() {
      if (this.begun) return;
      this.begun = true;
      sendText(KIND.STREAM_START, seq, 0, this.#type, Infinity);
      this[BEFORE_FIRST]?.((bytes) => sendBytes(KIND.STREAM_CHUNK, seq, 0, bytes));
    }

    _write(chunk, encoding, callback) {
      this.begin();
      for (let at = 0; at < chunk.length; at += CHUNK) {
        sendBytes(KIND.STREAM_CHUNK, seq, 0, chunk.subarray(at, at + CHUNK));
      }
      callback();
    }

    _final(callback) {
      this.begin();
      callback();
    }
  }
  const highWaterMark = handler[HIGH_WATER_MARK];
  return new ResponseStream(highWaterMark ? { highWaterMark } : {});
}

const isStreaming = (handler) => handler[STREAMING] === true;

module.exports = { awslambda, isStreaming, makeStream };
