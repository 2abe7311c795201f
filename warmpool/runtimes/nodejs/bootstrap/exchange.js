'use strict';

// An HTTP request and its response between two ends within this process: frameworks answer
// events by a response of Node's, and SDKs send requests.

const crypto = require('crypto');
const http = require('http');
const { Duplex } = require('stream');

class End extends Duplex {
  _read() {}

  _write(chunk, encoding, done) {
    this.other.push(chunk);
    done();
  }

  _final(done) {
    this.other.push(null);
    done();
  }
}

function serve(request, response) {
  const hash = crypto.createHash('sha256');
  request.on('data', (chunk) => hash.update(chunk));
  request.on('end', () => {
    const body = JSON.stringify({ sum: hash.digest('hex') });
    response.statusCode = 200;
    response.setHeader('Content-Type', 'application/json');
    response.setHeader('Content-Length', Buffer.byteLength(body));
    response.getHeader('content-type');
    response.end(body);
  });
}

async function exchange() {
  const near = new End();
  const far = new End();
  near.other = far;
  far.other = near;
  const server = http.createServer(serve); // it does not listen
  server.emit('connection', far);
  try {
    await new Promise((resolve, reject) => {
      const options = { method: 'POST', host: 'localhost', path: '/', headers: { 'Content-Type': 'text/plain' }, createConnection: () => near };
      const request = http.request(options, (response) => {
        response.setEncoding('utf8');
        response.on('data', () => {});
        response.on('end', resolve);
      });
      request.on('error', reject);
      request.end('text');
    });
  } finally {
    server.close(); // on Node.js 18 it has a timer
    near.destroy();
    far.destroy();
  }
}

module.exports = { exchange };
