'use strict';

// The start of a process that waits for its function. What Node does at its first
// time takes longer than all the rest of a cold start, so all of it is done once
// before: two functions of a few lines are loaded and invoked by the same code as
// the real one. A process that has its function already leaves that to the function.

const fs = require('fs');
const { getHeapSpaceStatistics } = require('v8');
const { HEAD, frame, mute } = require('./channel.js');
const { run, start } = require('./runtime.js');

const INIT = { env: {}, function_name: '', memory_mb: 128, task_root: __dirname };

// The frame of an invocation, as an HTTP route sends it.
function makeFrame() {
  const id = '00000000-0000-0000-0000-000000000000';
  const event = JSON.stringify({ version: '2.0', headers: { host: 'localhost' }, isBase64Encoded: false });
  const buffer = Buffer.alloc(HEAD + 18 + id.length + event.length);
  buffer.writeDoubleLE(Date.now() + 3000, HEAD);
  buffer.writeUInt16LE(id.length, HEAD + 8);
  buffer.write(id + event, HEAD + 18, 'latin1');
  return buffer;
}

// Modules of Node's that many functions load: crypto alone takes 5 ms of an init.
const FREQUENT = ['crypto', 'events', 'fs/promises', 'https', 'os', 'timers/promises', 'util'];
// Those that SDKs and frameworks load, too. Together they take 50 ms and 4 MB, so a process
// for small functions goes without (package launch decides).
const COMMON = [
  'assert', 'async_hooks', 'buffer', 'child_process', 'diagnostics_channel', 'dns', 'http', 'http2',
  'net', 'perf_hooks', 'process', 'querystring', 'readline', 'stream/promises', 'stream/web', 'string_decoder',
  'tls', 'tty', 'url', 'v8', 'vm', 'worker_threads', 'zlib',
];
// Globals that are loaded when they are first asked for.
const GLOBALS = ['BroadcastChannel', 'CompressionStream', 'Event', 'MessageChannel', 'ReadableStream', 'crypto', 'performance'];

const [large] = process.argv.splice(2);

// rehearse runs a function of this folder, as one in root that is invoked a few times.
function rehearse(handler, root) {
  const listeners = [];
  let calls = 3;
  const { buffer } = frame;
  return new Promise((resolve, reject) => {
    run({ ...INIT, handler }, {
      root,
      on(name, listener) {
        listeners.push([name, listener]);
        process.on(name, listener);
      },
      next() {
        if (calls === 0) return false;
        calls--;
        frame.buffer = makeFrame();
        frame.length = frame.buffer.length;
        return true;
      },
      end(status) {
        frame.buffer = buffer;
        for (const [name, listener] of listeners) process.off(name, listener);
        if (status === 0) resolve();
        else reject(new Error(`${handler} failed`));
      },
    });
  });
}

// sweep has V8 collect what the rehearsals left of young objects, or the first collection would
// come within the first init. What outlives two of them is not young any more.
function sweep() {
  const used = () => getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_used_size;
  for (let collected = 0, i = 0; collected < 2 && i < 10_000; i++) {
    const before = used();
    Array(2048).fill(0);
    if (used() < before) collected++;
  }
}

async function prepare() {
  FREQUENT.forEach((name) => require(name));
  void require('crypto').webcrypto; // an ES module that imports crypto has it loaded
  if (large) {
    COMMON.forEach((name) => require(name));
    GLOBALS.forEach((name) => globalThis[name]);
    await require('./exchange.js').exchange();
  }
  const root = fs.existsSync('/var/task') ? '/var/task' : __dirname;
  mute(true);
  await rehearse('rehearsal.handler', root);
  await rehearse('module.handler', root);
  for (let i = 0; i < 4; i++) await import(`./module.mjs?${i}`);
  sweep();
  await new Promise(setImmediate); // a collection that was due is over then
}

// A rehearsal that fails says nothing about functions: they start without.
prepare().then(() => '', (error) => error.stack).then((complaint) => {
  mute(false);
  start(complaint);
});
