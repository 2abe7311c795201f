// Calls of the server: AWS's APIs, and Hearth's own addresses.
import { Store } from './store.js';

const root = new URL('-/', document.baseURI.split('#')[0]);

// session is {keyId, readOnly, ...}; null: nobody is signed in; undefined: it is not known yet.
export const session = new Store(undefined);

// away is true while the server does not answer.
export const away = new Store(false);

// A Refusal is an answer that is an error. status is 0 if there was no answer.
export class Refusal extends Error {
  constructor(status, code, message, body) {
    super(message);
    this.status = status;
    this.code = code;
    this.body = body; // of an error, as it was sent
  }
}

const attempts = 3; // of what only reads
const pause = 300; // ms between them

// answer fetches. A request may get lost though the server is well: its connection ended, or a network of the
// browser's machine changed. What only reads is asked for again.
async function answer(path, options) {
  const reads = !options.method || options.method === 'GET';
  for (let left = reads ? attempts : 1; ;) {
    try {
      return await fetch(new URL(path, root), {
        ...options, headers: { 'X-Hearth-Console': '1', ...options.headers }, cache: 'no-store', credentials: 'same-origin', redirect: 'error',
      });
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      if (--left) {
        await new Promise((resolve) => { setTimeout(resolve, pause); });
        continue;
      }
      away.set(true);
      throw new Refusal(0, 'away', 'The server does not answer.');
    }
  }
}

async function request(path, options = {}) {
  const response = await answer(path, options);
  away.set(false);
  if (response.ok) return response;
  const text = await response.text();
  let body = {};
  try {
    body = JSON.parse(text) ?? {};
  } catch {
    body = parseXML(text);
  }
  const code = (response.headers.get('X-Amzn-Errortype') ?? body.__type ?? body.code ?? '').split(':')[0].split('#').pop();
  const message = body.Message ?? body.message ?? body.error ?? `The server answers with status ${response.status}.`;
  if (response.status === 401 && path !== 'session') session.set(null);
  throw new Refusal(response.status, String(code), String(message), body);
}

// The error of AWS's query protocol.
function parseXML(text) {
  const xml = new DOMParser().parseFromString(text, 'text/xml');
  return { code: xml.querySelector('Error > Code')?.textContent, message: xml.querySelector('Error > Message')?.textContent };
}

// rest calls an operation of AWS's REST protocol.
export async function rest(service, method, path, { query, body, headers, signal } = {}) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== '') parameters.set(name, value);
  }
  const question = parameters.size ? '?' + parameters : '';
  const response = await request(`call/${service}${path}${question}`, {
    method, signal, headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
    body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
  });
  return response;
}

// json is the body of an answer; {} if there is none.
export async function json(promise) {
  const text = await (await promise).text();
  return text ? JSON.parse(text) : {};
}

export const lambda = (method, path, options) => json(rest('lambda', method, path, options));

// target calls an operation of AWS's JSON protocol.
export function target(service, prefix, operation, input, signal) {
  return request(`call/${service}/`, {
    method: 'POST', signal, headers: { 'Content-Type': 'application/x-amz-json-1.1', 'X-Amz-Target': `${prefix}.${operation}` }, body: JSON.stringify(input),
  });
}

export const logs = (operation, input, signal) => json(target('logs', 'Logs_20140328', operation, input, signal));

// query calls an operation of AWS's query protocol. The answer is a Document.
export async function query(service, version, action, input = {}, signal) {
  const form = new URLSearchParams({ Action: action, Version: version, ...input });
  const response = await request(`call/${service}/`, { method: 'POST', signal, headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: String(form) });
  return new DOMParser().parseFromString(await response.text(), 'text/xml');
}

// own calls what the admin endpoint answers.
export const own = (method, path, signal) => json(request(`hearth/${path}`, { method, signal }));

export const samples = () => json(request('samples'));

// code is an archive, by the address that GetFunction gives. Only its path is used: the page may
// call this server alone.
export async function archive(location, signal) {
  const at = new URL(location, root);
  return new Uint8Array(await (await request(`call/lambda${at.pathname}${at.search}`, { signal })).arrayBuffer());
}

// findSession asks who is signed in, and says so when something that was asked for beside it is there, too.
export async function findSession(beside) {
  try {
    const found = await json(request('session'));
    await beside;
    session.set(found);
  } catch (error) {
    if (error.status === 401) session.set(null);
    else throw error;
  }
}

export async function signIn(keyId, secret) {
  session.set(await json(request('session', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ keyId, secret }) })));
}

export async function signOut() {
  await request('session', { method: 'DELETE' });
  session.set(null);
}

// name is a name in a path.
export const name = (text) => encodeURIComponent(text);
