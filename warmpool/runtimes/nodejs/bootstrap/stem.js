'use strict';

// The start of a process that waits for its function. What Node does at its first
// time takes longer than all the rest of a cold start, so all of it is done once
// before: an ES module is imported, a handler is loaded and invoked, the event loop
// turns. A process that has its function already leaves that to the function.

const { mute } = require('./channel.js');
const { load } = require('./handler.js');
const { makeInvoke } = require('./invocation.js');
const { decode } = require('./runtime.js');

const INIT = { env: {}, memory_mb: 128 };

// The frame of an invocation without a trace header, and the rest of it.
function rehearsalFrame() {
  const event = JSON.stringify({ version: '2.0', headers: { host: 'localhost' }, isBase64Encoded: false });
  const buffer = Buffer.concat([Buffer.alloc(34), Buffer.from(event)]);
  return { buffer, length: buffer.length };
}

// Modules of Node's that nearly every SDK and framework loads. Together they take 30 ms and
// 2.7 MB, so a process for small functions goes without (package launch decides).
const COMMON = ['crypto', 'fs/promises', 'http2', 'https', 'os', 'stream/promises', 'zlib'];

const [large] = process.argv.splice(2);

async function rehearse() {
  if (large) COMMON.forEach((name) => require(name));
  await import('./empty.mjs');
  const handler = await load(__dirname, 'rehearsal.handler');
  mute(true);
  for (let i = 0; i < 3; i++) {
    await new Promise((over) => {
      const invoke = makeInvoke(INIT, handler, over, () => {}, over);
      setImmediate(() => invoke(decode(rehearsalFrame())));
    });
  }
  mute(false);
}

// A rehearsal that fails says nothing about functions.
rehearse().catch(() => mute(false)).then(() => require('./bootstrap.js'));
