'use strict';

// The Node.js runtime: loads a handler and invokes it, as Lambda's does. It
// speaks frames (package runtimes) over descriptors 3 and 4.
//
// Everything of the function comes with the init frame. What can be loaded
// before it is, so that a process that waits for its function has that behind it.

require('./runtime.js').start('');
