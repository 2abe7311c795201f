'use strict';

const channel = require('./channel.js');
const { unhandledRejection, shape } = require('./errors.js');
const { load } = require('./handler.js');
const { clock, makeInvoke, sendError } = require('./invocation.js');
const layers = require('./layers.js');
const output = require('./output.js');
const startcache = require('./startcache.js');
const { awslambda, isStreaming } = require('./stream.js');
const trace = require('./trace.js');

const { HEAD, KIND, frame, sendText } = channel;
const { exit } = process;
const immediate = setImmediate;

// What Lambda's client exits with, so that the log says the same.
const EXIT = { exception: 129, rejection: 128 };

// The meta part of an invoke frame: a deadline, and the lengths of five strings.
const LENGTHS = HEAD + 8;
const STRINGS = LENGTHS + 10;

// start waits for a function and runs it. complaint says what went wrong before, '' for nothing.
function start(complaint) {
  sendText(KIND.BOOTED, 0, 0, complaint, Infinity);
  const init = channel.readInit();
  if (init === undefined) exit(0);
  run(init);
}

// A stage is what a run is bound to: the folder that the process enters, if it is not the
// function's, its listeners, where its frames come from, and what is done at the end, with a
// status. A rehearsal (stem.js) has another one.
const REAL = { on: process.on.bind(process), next: channel.next, end: exit };

// run makes the process the runtime of the function that init is of.
async function run(init, stage = REAL) {
  if (init.wrapped) Object.assign(init, { env: { ...process.env }, handler: process.env._HANDLER ?? '' });
  const several = init.concurrency > 1;
  const tracker = several ? trackSeveral() : trackOne();
  const logError = output.install(tracker.current, init.env);

  // What nobody catches ends the process, as on Lambda; the invocation that runs
  // is told why.
  let ready = false;
  const die = (what, error, status) => {
    logError(what, error);
    const call = tracker.current();
    if (!ready) sendText(KIND.INIT_ERROR, 0, 0, JSON.stringify(shape(error)), Infinity);
    else if (call.seq !== 0) sendError(call, error);
    stage.end(status);
  };
  stage.on('uncaughtException', (error) => die('Uncaught Exception', error, EXIT.exception));
  stage.on('unhandledRejection', (reason, promise) => {
    die('Unhandled Promise Rejection', unhandledRejection(reason, promise), EXIT.rejection);
  });

  let make;
  let handler;
  let setTrace;
  try {
    // Process-wide: with several invocations at once it would be another's.
    if (several) trace.remove();
    adopt(init);
    if (!several) setTrace = trace.install();
    if (init.waits && !channel.next()) exit(0); // a go frame: the code is there
    enter(stage.root ?? init.task_root);
    if (init.start_cache) startcache.open(init.start_cache);
    handler = await load(init.task_root, init.handler);
    make = isStreaming(handler) ? require('./streaming.js').makeInvokeStreaming : makeInvoke;
  } catch (error) {
    die('Uncaught Exception', error, 1);
    return;
  }
  ready = true;
  sendText(KIND.READY, 0, 0, '', Infinity);

  if (several) serveSeveral(init.concurrency, tracker, (over) => make(init, handler, logError, undefined, over));
  else serveOne(stage, tracker, setTrace, (emptyLoop, over) => make(init, handler, logError, emptyLoop, over));
}

// adopt takes on what of the function's surroundings is no file.
function adopt(init) {
  const paths = process.env.NODE_PATH;
  trace.setVariables(init.env);
  if (process.env.NODE_PATH !== paths) require('module')._initPaths(); // read only at the start otherwise
  if (/^(1|true)$/.test(init.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA)) delete globalThis.awslambda;
  else globalThis.awslambda = awslambda;
}

// enter goes to where the code of the function is.
function enter(root) {
  process.chdir(root);
  layers.open(root, process.env.NODE_PATH);
}

const OUTSIDE = { seq: 0, requestId: undefined };

// A tracker knows the call that code belongs to. A call's seq is 0 when it is
// over.
function trackOne() {
  let one = OUTSIDE;
  return { current: () => one, enter: (call) => { one = call; } };
}

function trackSeveral() {
  const { AsyncLocalStorage } = require('async_hooks');
  const storage = new AsyncLocalStorage();
  return { current: () => storage.getStore() ?? OUTSIDE, run: (call, f) => storage.run(call, f, call) };
}

// decode returns the call in a frame.
function decode({ buffer, length }) {
  const idEnd = STRINGS + buffer.readUInt16LE(LENGTHS);
  const traceEnd = idEnd + buffer.readUInt16LE(LENGTHS + 2);
  const arnEnd = traceEnd + buffer.readUInt16LE(LENGTHS + 4);
  const clientEnd = arnEnd + buffer.readUInt16LE(LENGTHS + 6);
  const identityEnd = clientEnd + buffer.readUInt16LE(LENGTHS + 8);
  const slice = (from, to) => (from === to ? '' : buffer.utf8Slice(from, to));
  return {
    seq: buffer.readUInt32LE(8),
    began: 0,
    deadline: buffer.readDoubleLE(HEAD),
    requestId: buffer.latin1Slice(STRINGS, idEnd),
    trace: slice(idEnd, traceEnd),
    arn: slice(traceEnd, arnEnd),
    clientContext: slice(arnEnd, clientEnd),
    identity: slice(clientEnd, identityEnd),
    text: buffer.utf8Slice(identityEnd, length),
  };
}

// A turn of the event loop for each call costs a sixth of the calls per second, one
// for 16 calls nothing that can be measured. So when frames are waiting, this many
// calls share one,
const SHARE = 16;
// but for no longer than this (ms).
const TURN = 1;
// A frame that came sooner than this had been waiting (ms).
const AT_ONCE = 0.02;

// serveOne runs one invocation after the other. Each runs in an immediate, so that
// Node sees to the ticks, microtasks and unhandled rejections of one call before
// the next is read.
function serveOne(stage, tracker, setTrace, makeWith) {
  let onEmptyLoop;
  const emptyLoop = (f) => { onEmptyLoop = f; };
  stage.on('beforeExit', () => {
    const f = onEmptyLoop;
    onEmptyLoop = undefined;
    f?.();
  });

  let pending = 0; // immediates of ours that this turn has still to run
  let idle = true;
  let share = false; // whether the next turn is for several calls
  let tired = false; // whether this turn is to end
  let turned = 0;

  const invoke = makeWith(emptyLoop, (call) => {
    call.seq = 0;
    onEmptyLoop = undefined;
    idle = true;
    if (pending === 0) turn();
  });

  function turn() {
    tired = false;
    turned = clock();
    pending = share ? SHARE : 1;
    for (let i = 0; i < pending; i++) immediate(step);
  }

  function step() {
    pending--;
    if (idle && !tired) serve();
    else if (idle && pending === 0) turn();
  }

  function serve() {
    const asked = clock();
    if (!stage.next()) {
      idle = false; // for the steps of this turn that are still to come
      stage.end(0);
      return;
    }
    const call = decode(frame);
    call.began = clock();
    share = call.began - asked < AT_ONCE;
    tired = !share || call.began - turned > TURN;
    setTrace(call.trace);
    tracker.enter(call);
    idle = false;
    invoke(call);
  }

  turn();
}

// serveSeveral keeps reading while fewer than most invocations run.
function serveSeveral(most, tracker, makeWith) {
  let running = 0;
  const invoke = makeWith((call) => {
    call.seq = 0;
    if (running-- === most) requests.resume();
  });
  const requests = channel.receive((received) => {
    if (++running === most) requests.pause();
    const call = decode(received);
    call.began = clock();
    tracker.run(call, invoke);
  }, () => exit(0));
}

module.exports = { run, start };
