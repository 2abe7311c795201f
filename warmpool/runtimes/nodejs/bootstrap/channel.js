'use strict';

// Frames over two pipes. Layouts are in package runtimes, frame.go. The file
// functions are taken now, so that code of the function cannot replace them.

const { read, readSync, writeSync } = require('fs');

const IN = 3;
const OUT = 4;
const HEAD = 16;
const PAGE = 4096;
const MAGIC = 0xfe;

// A result of MAX_RESPONSE bytes at most, as on Lambda.
const MAX_RESPONSE = 6291556;

const KIND = {
  READY: 16, INIT_ERROR: 17, RESULT: 18, ERROR: 19, LOG: 20,
  STREAM_START: 21, STREAM_CHUNK: 22, STREAM_END: 23,
};

const page = Buffer.allocUnsafeSlow(PAGE);

// The frame that was read last: its bytes are buffer[0..length).
const frame = { buffer: page, length: 0 };

// next waits for a frame, and is the freeze between invocations: nothing of the
// function's code runs meanwhile. It returns false when there are no more.
function next() {
  let n = readSync(IN, page, 0, PAGE, null);
  if (n === 0) return false;
  const length = HEAD + page.readUInt32LE(4);
  frame.length = length;
  frame.buffer = page;
  if (n < length) {
    // A frame of several pages: never more than is missing, the next frame may
    // be in the pipe already.
    frame.buffer = Buffer.allocUnsafe(length);
    page.copy(frame.buffer, 0, 0, n);
    while (n < length) {
      const got = readSync(IN, frame.buffer, n, length - n, null);
      if (got === 0) return false;
      n += got;
    }
  }
  return true;
}

// nextAsync is next for environments that run several invocations at once. The
// frame is handed over, because the next may be read before it is done with.
function nextAsync(callback) {
  const first = Buffer.allocUnsafe(PAGE);
  read(IN, first, 0, PAGE, null, (error, n) => {
    if (error || n === 0) return callback(undefined);
    const length = HEAD + first.readUInt32LE(4);
    if (n >= length) return callback({ buffer: first, length });
    const whole = Buffer.allocUnsafe(length);
    first.copy(whole, 0, 0, n);
    const more = () => read(IN, whole, n, length - n, null, (err, got) => {
      if (err || got === 0) return callback(undefined);
      n += got;
      return n < length ? more() : callback({ buffer: whole, length });
    });
    return more();
  });
}

function readInit() {
  return next() ? JSON.parse(frame.buffer.utf8Slice(HEAD, frame.length)) : undefined;
}

let out = Buffer.allocUnsafeSlow(64 << 10);
let words = new Uint32Array(out.buffer); // the fields of the head from byte 4 on

function reserve(size) {
  if (size <= out.length) return;
  out = Buffer.allocUnsafeSlow(size + (-size & 4095));
  words = new Uint32Array(out.buffer);
}

// flush writes the frame whose payload of size bytes is in out.
function flush(kind, seq, value, size) {
  out[0] = MAGIC;
  out[1] = kind;
  out[2] = 0;
  out[3] = 0;
  words[1] = size;
  words[2] = seq;
  words[3] = value;
  const end = HEAD + size;
  let n = writeSync(OUT, out, 0, end, null);
  while (n < end) n += writeSync(OUT, out, n, end - n, null);
  if (out.length > 4 << 20) { // one large frame is no reason to keep so much
    out = Buffer.allocUnsafeSlow(64 << 10);
    words = new Uint32Array(out.buffer);
  }
}

// sendText returns false, and sends nothing, when text has more than limit bytes.
function sendText(kind, seq, value, text, limit) {
  if (HEAD + text.length * 3 > out.length) {
    const size = Buffer.byteLength(text);
    if (size > limit) return false;
    reserve(HEAD + size);
  }
  const size = out.utf8Write(text, HEAD);
  if (size > limit) return false;
  flush(kind, seq, value, size);
  return true;
}

function sendBytes(kind, seq, value, bytes) {
  reserve(HEAD + bytes.length);
  out.set(bytes, HEAD);
  flush(kind, seq, value, bytes.length);
}

// What a log frame holds at most; a longer text becomes several.
const MAX_LOG = 1 << 20;

function sendLog(seq, descriptor, text) {
  if (text.length <= MAX_LOG) {
    sendText(KIND.LOG, seq, descriptor, text, Infinity);
    return;
  }
  for (let at = 0; at < text.length; at += MAX_LOG) {
    sendText(KIND.LOG, seq, descriptor, text.slice(at, at + MAX_LOG), Infinity);
  }
}

module.exports = { HEAD, KIND, MAX_RESPONSE, frame, next, nextAsync, readInit, sendText, sendBytes, sendLog };
