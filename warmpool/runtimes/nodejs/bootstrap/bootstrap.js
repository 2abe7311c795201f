'use strict';
const { readInit } = require('./channel.js');
const { run } = require('./runtime.js');
import('data:text/javascript,').then(() => {
const init = readInit();
if (init === undefined) process.exit(0);
run(init);
});
