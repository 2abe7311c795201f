'use strict';

// Errors in the shapes that Lambda gives them.
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-exceptions.html

class RuntimeError extends Error {
  constructor(name, message) {
    super(message);
    this.name = name;
  }
}

class UnhandledPromiseRejection extends Error {
  constructor(reason, promise) {
    super(String(reason));
    this.name = 'Runtime.UnhandledPromiseRejection';
    this.reason = reason;
    this.promise = promise;
  }
}

const isError = (e) => e instanceof Error
  || (e !== null && typeof e === 'object' && typeof e.name === 'string' && typeof e.message === 'string' && typeof e.stack === 'string');

// shape is what the caller gets.
function shape(error) {
  try {
    if (isError(error)) {
      return { errorType: String(error.name), errorMessage: String(error.message), trace: String(error.stack ?? '').split('\n') };
    }
    return { errorType: typeof error, errorMessage: typeof error === 'object' ? JSON.stringify(error) : String(error), trace: [] };
  } catch {
    return { errorType: 'handled', errorMessage: 'the handler threw something that cannot be shown', trace: [] };
  }
}

// describe is what the log gets: more than the caller, the error's own
// properties and its causes included.
function describe(error) {
  const seen = new Set();
  const plain = (e) => {
    if (!isError(e) || seen.has(e)) return e;
    seen.add(e);
    const { errorType, errorMessage, trace } = shape(e);
    const all = { errorType, errorMessage, ...(e.code !== undefined && { code: e.code }), ...e, stack: trace };
    if (e.cause !== undefined) all.cause = plain(e.cause);
    return all;
  };
  try {
    return JSON.stringify(plain(error)) ?? String(error);
  } catch {
    return JSON.stringify(shape(error)); // something circular
  }
}

module.exports = { RuntimeError, UnhandledPromiseRejection, shape, describe };
