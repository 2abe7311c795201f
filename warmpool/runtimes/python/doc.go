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
// Lambda has boto3, at the end of sys.path, behind code and layers. As on Lambda it
// follows .pth files for code and layers only. It imports everything, logging and
// json included, before it reads the init frame: so a stem pays nothing for them
// when its function comes, and nearly every function uses them.
//
// # Invocation
//
// The main thread blocks in a read of descriptor 3. With
// Concurrency above 1 that many threads share the reading, a whole frame at a
// time. AWS's client starts processes instead; threads share what the function
// has loaded.
// _X_AMZN_TRACE_ID, which is one for all threads, is then not set.
//
// Output goes out line by line as the function prints it, so the log has it even if
// the function hangs or is killed. A forked child of the function gives up the
// channel: it can neither take requests nor reply, and prints to the real
// descriptors.
package python
