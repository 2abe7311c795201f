'use strict';

// What V8 made of a function's modules at an earlier start: their bytecode, which spares it
// to read and compile them again. precompile.js makes it, in a process that has nothing of
// the function but its code. Here it is only read.
//
// Only CommonJS modules have it on a Node.js before 22.1. V8 takes it only if it comes from
// the same version with the same flags, and the source has the same length. Else, and for
// whatever is not as it was, the module is loaded the ordinary way.

const fs = require('fs');
const Module = require('module');
const path = require('path');
const vm = require('vm');

const FILE = 'scripts'; // in the folder of the cache

const TAIL = '\n});';

// What Node compiles the inside of. A script with cached code cannot import: V8 forgets
// where it belongs. So the word import of its dynamic imports is replaced by importer, a
// name as long, and the module finds a function of that name. It is '' without imports.
const head = (importer) => `(${importer === '' ? '' : `(${importer}) => `}function (exports, require, module, __filename, __dirname) { `;

const { _compile: compileUsually } = Module.prototype;

// compile makes the script of a module from its source between head and TAIL. Columns of the
// first line are counted from the inside. Cached code that V8 rejects counts for nothing.
function compile(wrapped, importer, filename, cachedData) {
  return new vm.Script(wrapped, { filename, columnOffset: -head(importer).length, cachedData });
}

// run is what Node's Module.prototype._compile does with a compiled module.
function run(script, importer, module, filename) {
  let f = script.runInThisContext();
  if (importer !== '') f = f(makeImport(filename));
  return Reflect.apply(f, module.exports, [module.exports, makeRequire(module), module, filename, path.dirname(filename)]);
}

// makeImport returns import() as it is in a module.
function makeImport(filename) {
  let native;
  return (...args) => {
    if (native === undefined) {
      const module = new Module(filename);
      compileUsually.call(module, 'module.exports = (specifier, options) => import(specifier, options)', filename);
      native = module.exports;
    }
    return native(...args);
  };
}

function makeRequire(module) {
  const require = function require(path) {
    return module.require(path);
  };
  require.resolve = function resolve(request, options) {
    return Module._resolveFilename(request, module, false, options);
  };
  require.resolve.paths = function paths(request) {
    return Module._resolveLookupPaths(request, module);
  };
  require.main = process.mainModule;
  require.extensions = Module._extensions;
  require.cache = Module._cache;
  return require;
}

// open has modules use the cache in folder, if there is one.
function open(folder) {
  Module.enableCompileCache?.(folder); // for ES modules
  const entries = read(path.join(folder, FILE));
  if (entries === undefined) return;
  const usual = Module._extensions['.js'];
  const { _compile } = Module.prototype;
  Module._extensions['.js'] = function (module, filename) {
    const entry = entries.get(filename);
    // Whoever changes how modules are compiled gets to see them.
    const wrapped = entry === undefined || module._compile !== _compile || process.sourceMapsEnabled ? undefined : readSource(filename, entry);
    if (wrapped === undefined) return usual(module, filename);
    entries.delete(filename);
    return run(compile(wrapped, entry.importer, filename, entry.data), entry.importer, module, filename);
  };
}

// read returns the entries of a cache by the names of their modules.
function read(file) {
  let bytes;
  try {
    bytes = fs.readFileSync(file);
  } catch {
    return undefined;
  }
  const end = 4 + bytes.readUInt32LE(0);
  const entries = new Map();
  for (const [name, size, wide, importer, imports, from, length] of JSON.parse(bytes.utf8Slice(4, end))) {
    entries.set(name, { size, wide, importer, imports, data: bytes.subarray(end + from, end + from + length) });
  }
  return entries;
}

// readSource reads the source of a module between head and TAIL at once, because to put them
// there afterwards copies all of it. It is undefined if the file has another size.
function readSource(filename, { size, wide, importer, imports }) {
  const before = head(importer);
  const fd = fs.openSync(filename, 'r');
  try {
    if (fs.fstatSync(fd).size !== size) return undefined;
    const buffer = Buffer.allocUnsafeSlow(before.length + size + TAIL.length);
    buffer.latin1Write(before, 0);
    for (let n = 0; n < size;) {
      const got = fs.readSync(fd, buffer, before.length + n, size - n, null);
      if (got === 0) return undefined;
      n += got;
    }
    for (const at of imports) buffer.latin1Write(importer, before.length + at);
    buffer.latin1Write(TAIL, before.length + size);
    return wide === null ? buffer.utf8Slice(0, buffer.length) : buffer.latin1Slice(0, narrow(buffer, wide, before.length));
  } finally {
    fs.closeSync(fd);
  }
}

// narrow makes UTF-8 into Latin-1 in its place, where characters of two bytes are at the places
// wide after start. It returns the new length.
function narrow(buffer, wide, start) {
  let to = start + (wide[0] ?? 0);
  wide.forEach((at, i) => {
    const from = start + at;
    const next = i + 1 < wide.length ? start + wide[i + 1] : buffer.length;
    buffer[to] = (buffer[from] & 0x03) << 6 | buffer[from + 1] & 0x3f;
    buffer.copyWithin(to + 1, from + 2, next);
    to += next - from - 1;
  });
  return wide.length === 0 ? buffer.length : to;
}

module.exports = { FILE, TAIL, compile, head, open, run };
