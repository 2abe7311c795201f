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

async function rehearse() {
  await import('./empty.mjs');
  const handler = await load(__dirname, 'rehearsal.handler');
  mute(true);
  for (let i = 0; i < 3; i++) {
    await new Promise((over) => {
      const invoke = makeInvoke(INIT, handler, over, over, over);
      setImmediate(() => invoke(decode(rehearsalFrame())));
    });
  }
  mute(false);
}

// A rehearsal that fails says nothing about functions.
rehearse().catch(() => mute(false)).then(() => require('./bootstrap.js'));
