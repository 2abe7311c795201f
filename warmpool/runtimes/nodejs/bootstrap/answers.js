'use strict';

// A custom resource of CloudFormation answers by a PUT to the ResponseURL of its event, which has
// a port and no TLS here. Handlers, the CDK's too, take the host and the path of it alone, and
// make the request by https.request, which is for port 443. So a request to such an address is
// made as the address says.

const MOST = 100;

// What paths of these addresses begin with: no event has other requests made without TLS.
const PREFIX = '/hearth-stacks/';

const addresses = new Map(); // the latest, by host and path
let original;

// expect has requests to an address made as it says, if it is one that CloudFormation waits at.
function expect(address) {
  const url = read(address);
  if (url?.protocol !== 'http:' || !url.pathname.startsWith(PREFIX)) return;
  if (original === undefined) install();
  addresses.set(url.hostname + url.pathname, url);
  if (addresses.size > MOST) addresses.delete(addresses.keys().next().value);
}

function install() {
  const http = require('http');
  const https = require('https');
  original = https.request;
  https.request = function request(...args) {
    const own = typeof args[0] === 'string' || args[0] instanceof URL;
    const options = own ? args[1] : args[0];
    const { hostname, pathname } = (own && read(args[0])) || { hostname: options?.hostname ?? options?.host, pathname: options?.path };
    const url = addresses.get(`${hostname}${pathname}`);
    if (url === undefined) return original.apply(this, args);
    const callback = args.findLast((arg) => typeof arg === 'function');
    const { protocol, host, agent, ...rest } = typeof options === 'object' ? options : {};
    return http.request({ ...rest, hostname: url.hostname, port: url.port, path: url.pathname }, callback);
  };
  require('module').syncBuiltinESMExports();
}

function read(address) {
  try {
    return new URL(address);
  } catch {
    return undefined;
  }
}

module.exports = { expect };
