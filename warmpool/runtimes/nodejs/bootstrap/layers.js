'use strict';

// Packages of layers for ES modules. Lambda's own Node.js finds them by NODE_PATH, any
// other only for require. In the sandbox two links have Node find them by itself
// (package sandbox, skeleton.go). What else NODE_PATH names takes hooks, which cost
// time: they are there only for folders that are.

const fs = require('fs');
const Module = require('module');
const path = require('path');
const { pathToFileURL } = require('url');

const LINK = '/var/node_modules';
const LINKED = ['/opt/nodejs/node_modules', '/var/runtime/node_modules'];

// open has ES modules of a function find the packages that NODE_PATH names.
function open(taskRoot, nodePath) {
  if (!nodePath) return;
  const sandboxed = taskRoot === '/var/task';
  const found = sandboxed ? [...LINKED, '/var/runtime', taskRoot] : [];
  const folders = nodePath.split(path.delimiter).filter((folder) => folder !== '' && !found.includes(folder) && fs.existsSync(folder));
  if (folders.length === 0) return;
  if (sandboxed) putBeforeLink(folders);
  if (Module.registerHooks) Module.registerHooks({ resolve: makeResolve(folders) });
  else Module.register?.('./layers.mjs', pathToFileURL(__filename), { data: folders });
}

// putBeforeLink keeps the order that NODE_PATH has for require, too.
function putBeforeLink(folders) {
  const usual = Module._nodeModulePaths;
  Module._nodeModulePaths = (from) => usual(from).flatMap((folder) => (folder === LINK ? [...folders, folder] : folder));
}

const NOT_FOUND = 'ERR_MODULE_NOT_FOUND';

function isPackage(specifier, context) {
  return !/^[./#]|^[a-zA-Z][a-zA-Z+.-]*:/.test(specifier) && !Module.isBuiltin(specifier) && !context.conditions?.includes('require');
}

// isLast reports whether what was found is what NODE_PATH names last.
function isLast(url, context) {
  const within = (link, at) => at?.startsWith(`file://${link}/`);
  return LINKED.some((link) => within(link, url) && !within(link, context.parentURL));
}

// inside is the context of a module that finds the packages of a folder first.
function inside(folder, context) {
  return { ...context, parentURL: pathToFileURL(path.join(path.dirname(folder), 'module.mjs')).href };
}

// direct finds a package in a folder that has another name than node_modules.
function direct(specifier, folder) {
  if (path.basename(folder) === 'node_modules') return undefined;
  try {
    return { url: pathToFileURL(Module.createRequire(`${folder}/`).resolve(path.join(folder, specifier))).href, shortCircuit: true };
  } catch {
    return undefined;
  }
}

function makeResolve(folders) {
  return (specifier, context, next) => {
    if (!isPackage(specifier, context)) return next(specifier, context);
    let last;
    let error;
    try {
      last = next(specifier, context);
      if (!isLast(last.url, context)) return last;
    } catch (e) {
      if (e?.code !== NOT_FOUND) throw e;
      error = e;
    }
    for (const folder of folders) {
      const found = direct(specifier, folder);
      if (found !== undefined) return found;
      try {
        return next(specifier, inside(folder, context));
      } catch (e) {
        if (e?.code !== NOT_FOUND) throw e;
      }
    }
    if (last === undefined) throw error;
    return last;
  };
}

module.exports = { NOT_FOUND, direct, inside, isLast, isPackage, open };
