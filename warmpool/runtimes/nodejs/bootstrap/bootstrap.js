'use strict';

// The Node.js runtime: loads a handler and invokes it, as Lambda's does. It
// speaks frames (package runtimes) over descriptors 3 and 4.
//
// Everything of the function comes with the init frame. What can be loaded
// before it is, so that a process that waits for its function has that behind it.

const { KIND, readInit, sendText } = require('./channel.js');
const { run } = require('./runtime.js');

sendText(KIND.BOOTED, 0, 0, '', Infinity);
const init = readInit();
if (init === undefined) process.exit(0);
run(init);
