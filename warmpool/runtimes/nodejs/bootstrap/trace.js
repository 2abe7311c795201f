'use strict';

// The trace header of the running call, which functions find in the environment
// variable _X_AMZN_TRACE_ID. Every call has another header, and the C library never
// frees a value that a variable had: set there, the header would cost each call a
// microsecond and 160 bytes that stay. So process.env is an object of our own that
// holds the header, and writes all else to the environment as well. Programs that a
// function starts get the header, because Node passes them what process.env holds.

const NAME = '_X_AMZN_TRACE_ID';

// install replaces process.env, and returns the function that sets the header, to ''
// for none.
function install() {
  const native = process.env;
  delete native[NAME];
  const env = Object.assign(Object.create(Object.getPrototypeOf(native)), native);

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
      Object.assign(env, native);
    };
  }

  return (header) => {
    if (header === '') delete env[NAME];
    else env[NAME] = header;
  };
}

module.exports = { install };
