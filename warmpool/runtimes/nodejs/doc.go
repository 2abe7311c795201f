// Package nodejs holds the Node.js runtime: a bootstrap that speaks the frames of
// package runtimes and does what AWS's runtime interface client for Node.js does
// (github.com/aws/aws-lambda-nodejs-runtime-interface-client). It needs Node.js 18
// or newer, and no package.
//
//	bootstrap.js         start: load the rest, wait for the init frame
//	  runtime.js         init, then one invocation after the other, or several
//	    channel.js       descriptors 3 and 4
//	    handler.js       finding the handler
//	    layers.js        finding packages of layers from ES modules
//	    invocation.js    one invocation that answers with a result
//	    streaming.js     one that streams its response
//	      stream.js      the stream, and the global awslambda
//	    context.js       the context object
//	    errors.js        function errors, AWS's names and wording
//	    output.js        console, process.stdout and process.stderr as log frames
//	    startcache.js    modules that V8 has compiled before (precompile.js)
//	stem.js              start of a stem: load modules of Node's, rehearse, and as bootstrap.js
//	  exchange.js        an HTTP request and its response, for functions that load much
//
// # Invocation
//
// The thread blocks in a read of descriptor 3, so that nothing of the function runs, and
// that costs a fraction of waiting in the event loop. Each invocation runs in an immediate:
//
//	immediate: read a frame, call the handler
//	microtasks: it returned or settled -> reply
//	ticks, unhandled rejections of this invocation
//	immediate: the next, while frames are waiting; or
//	the rest of the event loop: timers and I/O that earlier invocations left
//
// When the handler waits for timers or I/O, the event loop runs as in any program,
// and the thread reads nothing until the reply is written. A callback waits until
// the event loop has nothing left to do (beforeExit), unless
// callbackWaitsForEmptyEventLoop is false.
//
// The two system calls of an invocation are four fifths of its cost.
//
// With Concurrency above 1 the event loop reads descriptor 3, so nothing freezes, the
// loop is never empty and callbacks do not wait for it. _X_AMZN_TRACE_ID is then not
// set, because the process has only one.
//
// # Output
//
// A console call is one log frame, however many lines it has; so is each write to
// process.stdout or process.stderr, at once, with or without a newline at its end.
package nodejs
