'use strict';

// The trace header of the running call, which functions find in the environment
// variable _X_AMZN_TRACE_ID. Every call has another header, and the C library never
// frees a value that a variable had: set there, the header would cost each call a
// microsecond and 160 bytes that stay. So process.env is an object of our own that
// holds the header, and writes all else to the environment as well. Programs that a
// function starts get the header, because Node passes them what process.env holds.

const NAME = '_X_AMZN_TRACE_ID';

const native = process.env;
let env = native; // what functions see of it
let setHeader; // there is one while env is ours

// install replaces process.env, and returns the function that sets the header, to ''
// for none.
function install() {
  if (setHeader) return setHeader;
  delete native[NAME];
  // The objects of a V8 with many members get slower with each, until one is removed.
  env = Object.assign(Object.create(Object.getPrototypeOf(native)), { [NAME]: '' }, native);
  delete env[NAME];

  const write = (name, value) => {
    if (name === NAME) {
      env[NAME] = `${value}`;
    } else {
      native[name] = value;
      env[name] = native[name]; // which is a string
    }
    return true;
  };
  process.env = new Proxy(env, {
    set: (_, name, value) => write(name, value),
    defineProperty(_, name, property) {
      if (name !== NAME) Object.defineProperty(native, name, property); // refuses what is no plain value
      return write(name, property.value);
    },
    deleteProperty: (_, name) => delete native[name] && delete env[name],
  });

  // Writes to the environment past process.env.
  const { loadEnvFile } = process;
  if (loadEnvFile) {
    process.loadEnvFile = (...file) => {
      loadEnvFile(...file);
      if (env !== native) Object.assign(env, native);
    };
  }

  setHeader = (header) => {
    if (header === '') delete env[NAME];
    else env[NAME] = header;
  };
  return setHeader;
}

// remove undoes install.
function remove() {
  process.env = native;
  env = native;
  setHeader = undefined;
}

// setVariables sets those of the function, in a fraction of the time that process.env takes.
// To set TZ anew, to what it is, takes longer than all the rest of an init.
function setVariables(variables) {
  for (const name in variables) {
    const value = variables[name];
    if (env[name] === value || name === NAME) continue;
    native[name] = value;
    if (env !== native) env[name] = value;
  }
}

module.exports = { install, remove, setVariables };
