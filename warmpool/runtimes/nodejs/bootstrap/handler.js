'use strict';

// Finds the handler that a string such as "dir/index.ns.handler" names.

const fs = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');
const { RuntimeError } = require('./errors.js');

async function load(taskRoot, name) {
  if (name.includes('..')) {
    throw new RuntimeError('Runtime.MalformedHandlerName', `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`);
  }
  const base = path.basename(name);
  const dot = base.indexOf('.');
  if (dot <= 0 || dot === base.length - 1) {
    throw new RuntimeError('Runtime.MalformedHandlerName', `Bad handler: ${name}`);
  }
  const folder = name.slice(0, name.length - base.length);
  const module = await loadModule(taskRoot, path.join(folder, base.slice(0, dot)));
  let handler = module;
  for (const part of base.slice(dot + 1).split('.')) handler = handler?.[part];
  if (handler === undefined) {
    throw new RuntimeError('Runtime.HandlerNotFound', `${name} is undefined or not exported`);
  }
  if (typeof handler !== 'function') {
    throw new RuntimeError('Runtime.HandlerNotFound', `${name} is not a function`);
  }
  return handler;
}

async function loadModule(taskRoot, name) {
  try {
    const file = findFile(path.resolve(taskRoot, name));
    if (file === undefined) {
      // Perhaps in a layer, or a package.
      return require(require.resolve(name, { paths: [taskRoot, '/opt/nodejs', path.dirname(taskRoot)] }));
    }
    if (isModule(file, taskRoot)) {
      const exports = await import(pathToFileURL(file).href);
      return exports;
    }
    return require(file);
  } catch (error) {
    if (error instanceof SyntaxError) {
      const wrapped = new RuntimeError('Runtime.UserCodeSyntaxError', String(error));
      wrapped.stack = `${wrapped.name}: ${error}\n${error.stack}`; // with the line
      throw wrapped;
    }
    if (error?.code === 'MODULE_NOT_FOUND' || error?.code === 'ERR_MODULE_NOT_FOUND') {
      const wrapped = new RuntimeError('Runtime.ImportModuleError', String(error));
      wrapped.stack = `${wrapped.name}: ${error}\n${error.stack ?? ''}`;
      throw wrapped;
    }
    throw error;
  }
}

function findFile(stem) {
  for (const extension of ['', '.js', '.mjs', '.cjs']) {
    const file = stem + extension;
    if (fs.statSync(file, { throwIfNoEntry: false })?.isFile()) return file;
  }
  return undefined;
}

// isModule reports whether a file is an ES module, as Node itself decides it.
function isModule(file, taskRoot) {
  const extension = path.extname(file);
  if (extension === '.mjs') return true;
  if (extension !== '.js') return false;
  for (let folder = path.dirname(file); folder.length >= taskRoot.length; folder = path.dirname(folder)) {
    const manifest = path.join(folder, 'package.json');
    if (fs.existsSync(manifest)) {
      try {
        return JSON.parse(fs.readFileSync(manifest, 'utf8')).type === 'module';
      } catch {
        return false;
      }
    }
    if (folder === path.dirname(folder)) break;
  }
  return false;
}

module.exports = { load };
