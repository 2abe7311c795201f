// What a user would write instead of a function: one bare Node server for Caddy's
// reverse_proxy. The keep-alive is longer than any pause of the benchmark, so that no
// request meets a connection that is being closed.
'use strict';

const server = require('node:http').createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end('{"message":"Hello, world!"}');
});
server.keepAliveTimeout = 600_000;
server.listen(Number(process.argv[2]), '127.0.0.1');
