'use strict';

// The start of a process that waits for its function: Node loads what ES modules
// need when the first is imported, which takes longer than all the rest of a cold
// start. A process that has its function already leaves that to the function.

import('./empty.mjs').then(() => require('./bootstrap.js'));
