'use strict';

// Frames over two pipes. Layouts are in package runtimes, frame.go. The file
// functions are taken now, so that code of the function cannot replace them.

const { readSync, writeSync } = require('fs');

const IN = 3;
const OUT = 4;
const HEAD = 16;
const PAGE = 4096;
const MAGIC = 0xfe;

// A result of MAX_RESPONSE bytes at most, as on Lambda.
const MAX_RESPONSE = 6291556;

const KIND = {
  READY: 16, INIT_ERROR: 17, RESULT: 18, ERROR: 19, LOG: 20,
  STREAM_START: 21, STREAM_CHUNK: 22, STREAM_END: 23, BOOTED: 24,
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

// receive is next for environments that run several invocations at once. It
// calls onFrame for each frame and onEnd after the last, and returns the functions
// that pause and resume it.
//
// Not fs.read: a read that waits in the thread pool keeps the process from
// exiting.
function receive(onFrame, onEnd) {
  const { Socket } = require('net');
  const first = Buffer.allocUnsafeSlow(PAGE);
  let buffer = first; // or one for a frame of several pages
  let have = 0; // bytes in it: of a frame, and of those behind it if they were no packets
  const whole = []; // frames to deliver
  let paused = false;

  // Only a read may change buffer and have: they say where the next one goes.
  const split = () => {
    while (have >= HEAD) {
      const length = HEAD + buffer.readUInt32LE(4);
      if (have < length) {
        if (length > buffer.length) {
          buffer = Buffer.allocUnsafeSlow(length); // never more than is missing, as in next
          first.copy(buffer, 0, 0, have);
        }
        return;
      }
      if (buffer === first) {
        whole.push({ buffer: Buffer.from(first.subarray(0, length)), length });
        first.copyWithin(0, length, have);
        have -= length;
      } else {
        whole.push({ buffer, length });
        buffer = first;
        have = 0;
      }
    }
  };
  const deliver = () => {
    while (!paused && whole.length > 0) onFrame(whole.shift());
  };

  const socket = new Socket({
    fd: IN,
    readable: true,
    writable: false,
    onread: {
      buffer: () => (have === 0 ? buffer : buffer.subarray(have)),
      callback(n) {
        have += n;
        split();
        deliver();
        return true;
      },
    },
  });
  socket.on('end', onEnd);
  socket.on('error', onEnd);
  return {
    pause() {
      paused = true;
      socket.pause();
    },
    resume() {
      paused = false;
      deliver();
      if (!paused) socket.resume();
    },
  };
}

function readInit() {
  return next() ? JSON.parse(frame.buffer.utf8Slice(HEAD, frame.length)) : undefined;
}

const USUAL = 64 << 10;
let out;
let words; // the head's four fields of 32 bits

function allocate(size) {
  out = Buffer.allocUnsafeSlow(size);
  words = new Uint32Array(out.buffer, 0, HEAD / 4); // both ends are little-endian
}

allocate(USUAL);

let muted = false;

// mute has frames made and not written, until it is called with false.
function mute(on) {
  muted = on;
}

// write handles what a blocking pipe never does as well, for code of the function
// may have made it a non-blocking one.
function write(end) {
  for (let n = 0; n < end;) {
    try {
      n += writeSync(OUT, out, n, end - n, null);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1); // a millisecond
    }
  }
}

// flush writes the frame whose payload of size bytes is in out.
function flush(kind, seq, value, size) {
  words[0] = MAGIC | (kind << 8);
  words[1] = size;
  words[2] = seq;
  words[3] = value;
  if (!muted) write(HEAD + size);
  if (out.length > 4 << 20) allocate(USUAL); // one large frame is no reason to keep so much
}

// sendText returns false, and sends nothing, when text has more than limit bytes.
function sendText(kind, seq, value, text, limit) {
  if (HEAD + text.length * 3 > out.length) {
    const size = Buffer.byteLength(text);
    if (size > limit) return false;
    if (HEAD + size > out.length) allocate(HEAD + size);
  }
  flush(kind, seq, value, out.utf8Write(text, HEAD));
  return true;
}

function sendBytes(kind, seq, value, bytes) {
  if (HEAD + bytes.length > out.length) allocate(HEAD + bytes.length);
  out.set(bytes, HEAD);
  flush(kind, seq, value, bytes.length);
}

module.exports = { HEAD, KIND, MAX_RESPONSE, frame, mute, next, receive, readInit, sendText, sendBytes };
