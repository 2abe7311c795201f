'use strict';

// Finds the handler that a string such as "dir/index.ns.handler" names.
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html

const fs = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');
const { runInNewContext } = require('vm');
const { RuntimeError } = require('./errors.js');

async function load(taskRoot, name) {
  if (name.includes('..')) {
    throw new RuntimeError('MalformedHandlerName', `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`);
  }
  const base = path.basename(name);
  const dot = base.indexOf('.');
  if (dot < 0) throw new RuntimeError('MalformedHandlerName', 'Bad handler');

  const folder = name.slice(0, name.lastIndexOf(base));
  let handler = await loadModule(taskRoot, folder, base.slice(0, dot));
  for (const part of base.slice(dot + 1).split('.')) handler &&= handler[part];
  if (!handler) throw new RuntimeError('HandlerNotFound', `${name} is undefined or not exported`);
  if (typeof handler !== 'function') throw new RuntimeError('HandlerNotFound', `${name} is not a function`);
  return handler;
}

async function loadModule(taskRoot, folder, name) {
  try {
    const file = findFile(path.resolve(taskRoot, folder, name));
    if (file === undefined) {
      // A package then, of the function or of a layer (NODE_PATH).
      return require(require.resolve(folder + name, { paths: [taskRoot, path.resolve(taskRoot, folder)] }));
    }
    return isModule(file) ? await import(pathToFileURL(file).href) : require(file);
  } catch (error) {
    if (error instanceof SyntaxError) {
      locate(error);
      throw new RuntimeError('UserCodeSyntaxError', String(error), error);
    }
    if (error?.code === 'MODULE_NOT_FOUND') throw new RuntimeError('ImportModuleError', String(error), error);
    throw error;
  }
}

// locate has the stack of a syntax error begin with file, line and the text there. Node
// knows them of an ES module, too, and tells when the error leaves a script.
function locate(error) {
  if (/^[^\n]*:\d+\n/.test(error.stack)) return;
  try {
    runInNewContext('throw error', { error });
  } catch {
    // it is the same error
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
function isModule(file) {
  const extension = path.extname(file);
  if (extension !== '.js') return extension === '.mjs';
  for (let folder = path.dirname(file); !folder.endsWith('/node_modules'); folder = path.dirname(folder)) {
    const file = path.join(folder, 'package.json');
    if (fs.statSync(file, { throwIfNoEntry: false })) { // an exception takes much longer
      try {
        return JSON.parse(fs.readFileSync(file, 'utf8'))?.type === 'module';
      } catch {
        return false; // one that cannot be read ends the search, as in Lambda
      }
    }
    if (folder === '/') break;
  }
  return false;
}

module.exports = { load };
