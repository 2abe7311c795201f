// Package python holds the Python runtime: a bootstrap that speaks the frames of
// package runtimes and does what AWS's runtime interface client for Python does
// (github.com/aws/aws-lambda-python-runtime-interface-client).
//
//	bootstrap.py          start; afterwards nothing of ours is on sys.path
//	  hearth_runtime      init, then one invocation after the other
//	    hearth_channel    descriptors 3 and 4
//	    hearth_handler    sys.path, finding the handler
//	    hearth_context    the context object
//	    hearth_json       events and results
//	    hearth_errors     function errors, AWS's names and wording
//	    hearth_output     sys.stdout and sys.stderr as log frames
//	    hearth_logging    the root logger's handler
//	    hearth_current    which invocation a log line belongs to
//
// # Start
//
// The interpreter runs without site (-S), which would scan the machine's packages
// and run their .pth files. The bootstrap puts the packages themselves, where
// Lambda has boto3, at the end of sys.path, behind code and layers; .pth files are
// followed for code and layers only, as on Lambda. All imports, logging and
// json among them, happen before the init frame is read: they cost a stem nothing
// when its function comes, and nearly every function wants them.
//
// # Invocation
//
// The main thread blocks in a read of descriptor 3; that is Lambda's freeze. With
// Concurrency above 1 that many threads share the reading, a whole frame at a
// time. AWS's client starts processes instead; threads share what the function
// has loaded.
// _X_AMZN_TRACE_ID, which is one for all threads, is then not set.
//
// What a function prints goes out line by line as it is written, so that it is
// there when the function hangs or is killed. A forked child of the function gives
// up the channel: it can neither take requests nor reply, and prints to the real
// descriptors.
package python
