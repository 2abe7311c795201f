'use strict';

// The Node.js runtime: loads a handler and invokes it, as Lambda's does. It
// speaks frames (package runtimes) over descriptors 3 and 4.
//
// Everything of the function comes with the init frame, so until then this is
// the runtime of no function in particular.

const channel = require('./channel.js');

const init = channel.readInit();
if (init === undefined) process.exit(0);
// Not before: it depends on the variables that came with the frame.
require('./runtime.js').run(init);
