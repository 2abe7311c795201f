'use strict';

// Makes the start cache of a function (startcache.js): loads its handler as an init does,
// and writes what V8 compiled to descriptor 3. Nothing is invoked. The process has no
// network and none of the function's variables, so a load that fails is no surprise: what
// was compiled until then is worth having, too.
//
//   node precompile.js TASK_ROOT HANDLER
//
// Each file is written as the lengths of its name and its content (little-endian, 4 bytes
// each), the name, and the content.

const fs = require('fs');
const Module = require('module');
const os = require('os');
const path = require('path');
const vm = require('vm');
const { load } = require('./handler.js');
const layers = require('./layers.js');
const { awslambda } = require('./stream.js');
const { FILE, TAIL, compile, head, run } = require('./startcache.js');

const OUT = 3;
const SETTLE = 500; // ms for what the load has begun
const LONGEST = 20_000; // ms for the load itself

const PARAMETERS = ['exports', 'require', 'module', '__filename', '__dirname'];

const scripts = [];

// plan says how a module is compiled between head and TAIL, with the same outcome as by
// Node: the name for import, and the places of it in bytes. undefined: not so.
function plan(content, filename) {
  if (content.startsWith('#!') || process.sourceMapsEnabled || !isValid(content)) return undefined;
  const imports = dynamicImports(content);
  if (imports?.length === 0) return { importer: '', imports };
  const importer = [...'0123456789'].map((n) => `imp${n}rt`).find((name) => !content.includes(name));
  if (importer === undefined || imports === undefined) return undefined;
  return { importer, imports: imports.map((at) => Buffer.byteLength(content.slice(0, at))) };
}

// isValid is false for an ES module, and for an error that Node tells better.
function isValid(content) {
  try {
    vm.compileFunction(content, PARAMETERS);
    return true;
  } catch {
    return false;
  }
}

const MOST_TRIALS = 100;

// dynamicImports finds where import() is in a module, which V8 tells: in a comment, a string
// or a regular expression any text may stand in its place, as a name of something no
// expression may. undefined: too much has that name.
function dynamicImports(content) {
  let trials = 0;
  const isValidWith = (places, text) => {
    let from = 0;
    let changed = '';
    for (const at of places) {
      changed += content.slice(from, at) + text;
      from = at + text.length;
    }
    trials++;
    return isValid(changed + content.slice(from));
  };
  const inCode = (places) => {
    if (places.length === 0 || trials > MOST_TRIALS || isValidWith(places, '@@@@@@')) return [];
    if (places.length === 1) return places;
    const half = places.length >> 1;
    return [...inCode(places.slice(0, half)), ...inCode(places.slice(half))];
  };
  const places = Array.from(content.matchAll(/(?<![.#]\s*)\bimport(?=\s*[(/])/g), (match) => match.index);
  const found = inCode(places).filter((at) => isValidWith([at], '(0)   '));
  return trials > MOST_TRIALS ? undefined : found;
}

function replaced(content, { importer, imports }) {
  const bytes = Buffer.from(content);
  for (const at of imports) bytes.latin1Write(importer, at);
  return head(importer) + bytes.utf8Slice(0, bytes.length) + TAIL;
}

function record() {
  const { _compile } = Module.prototype;
  Module.prototype._compile = function (content, filename, format) {
    const how = format === 'module' || typeof content !== 'string' || !path.isAbsolute(filename) ? undefined : plan(content, filename);
    if (how === undefined) return _compile.apply(this, arguments);
    const script = compile(replaced(content, how), how.importer, filename);
    scripts.push([filename, content, how, script]);
    return run(script, how.importer, this, filename);
  };
}

// entry is the head of a module in the index, and its code. Of one that somebody has changed
// on the way there is none.
function entry([filename, content, { importer, imports }, script]) {
  const bytes = fs.readFileSync(filename);
  if (bytes.utf8Slice(0, bytes.length) !== content) return undefined;
  return [filename, bytes.length, wideIn(content), importer, imports, script.createCachedData()];
}

const MOST_WIDE = 1000;

// wideIn finds the characters of content that take two bytes in UTF-8 and one in Latin-1: where
// they begin, in bytes. null: there are too many, or others. To decode UTF-8 takes V8 ten times as
// long as to copy Latin-1.
function wideIn(content) {
  const all = Array.from(content.matchAll(/[^\x00-\x7f]/g), (match, i) => [match[0], match.index + i]);
  return all.length > MOST_WIDE || all.some(([c]) => c > '\xff') ? null : all.map(([, at]) => at);
}

function writeScripts() {
  const index = [];
  const blobs = [];
  let at = 0;
  for (const script of scripts) {
    const found = entry(script);
    if (found === undefined) continue;
    const data = found.pop();
    const padding = Buffer.alloc(-data.length & 7);
    index.push([...found, at, data.length]);
    blobs.push(data, padding);
    at += data.length + padding.length;
  }
  const text = JSON.stringify(index);
  const length = Buffer.byteLength(text);
  const head = Buffer.alloc(4 + length + (-(4 + length) & 7), ' ');
  head.writeUInt32LE(head.length - 4);
  head.write(text, 4);
  write(FILE, Buffer.concat([head, ...blobs]));
}

function write(name, content) {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(Buffer.byteLength(name), 0);
  head.writeUInt32LE(content.length, 4);
  for (const part of [head, Buffer.from(name), content]) {
    for (let n = 0; n < part.length;) n += fs.writeSync(OUT, part, n, part.length - n, null);
  }
}

// Node's own cache is for ES modules: a folder of the version, with a file for each.
function writeModules(folder) {
  if (!Module.flushCompileCache) return;
  Module.flushCompileCache();
  for (const version of fs.readdirSync(folder)) {
    for (const name of fs.readdirSync(path.join(folder, version))) {
      write(`${version}/${name}`, fs.readFileSync(path.join(folder, version, name)));
    }
  }
}

async function precompile(taskRoot, handler) {
  const modules = path.join(os.tmpdir(), 'modules');
  Module.enableCompileCache?.(modules); // as startcache.js does
  const { exit } = process;
  process.on('exit', () => {
    writeScripts();
    if (Module.enableCompileCache) writeModules(modules);
  });
  process.on('uncaughtException', () => {});
  process.on('unhandledRejection', () => {});
  setTimeout(exit, LONGEST, 0);
  process.chdir(taskRoot);
  layers.open(taskRoot, process.env.NODE_PATH);
  globalThis.awslambda = awslambda;
  record();
  await load(taskRoot, handler).catch(() => {});
  setTimeout(exit, SETTLE, 0);
}

precompile(process.argv[2], process.argv[3]);
