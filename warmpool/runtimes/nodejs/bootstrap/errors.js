'use strict';

// Errors in the shapes that Lambda gives them.
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-exceptions.html

const { types: { isNativeError } } = require('util');

// A RuntimeError is one that the runtime itself reports. Its stack is worth as
// much as that of the error it stands for, if there is one.
class RuntimeError extends Error {
  constructor(type, message, cause) {
    super(message);
    this.name = `Runtime.${type}`;
    if (cause?.stack !== undefined) this.stack = `${this.name}: ${message}\n${cause.stack}`;
  }
}

// unhandledRejection is the error for a promise that was rejected with reason.
function unhandledRejection(reason, promise) {
  const error = new RuntimeError('UnhandledPromiseRejection', text(reason), reason);
  return Object.assign(error, { reason, promise });
}

const text = (value) => {
  try {
    return String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
};

const isReal = (e) => isNativeError(e) || e instanceof Error; // native: of another realm

const isError = (e) => isReal(e)
  || (e?.name && e.message && typeof e.name === 'string' && typeof e.message === 'string' && typeof e.stack === 'string');

// shape is what the caller gets.
function shape(error) {
  try {
    if (isError(error)) {
      return { errorType: String(error.name), errorMessage: String(error.message), trace: String(error.stack ?? '').split('\n') };
    }
    return { errorType: typeof error, errorMessage: error.toString(), trace: [] };
  } catch {
    return {
      errorType: 'handled',
      errorMessage: 'callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack',
      trace: [],
    };
  }
}

// describe is what the log gets: more than the caller, the error's own
// properties and its cause included.
function describe(error) {
  const asError = isError(error) ? error : new Error(text(error));
  try {
    return JSON.stringify(asError, (key, value) => {
      if (!isReal(value)) return value;
      const { errorType, errorMessage, trace } = shape(value);
      const all = { errorType, errorMessage, code: value.code, ...value, stack: trace };
      if (value.cause !== undefined) all.cause = value.cause;
      return all;
    });
  } catch {
    return JSON.stringify(shape(asError)); // something circular, or a BigInt
  }
}

module.exports = { RuntimeError, unhandledRejection, shape, describe };
