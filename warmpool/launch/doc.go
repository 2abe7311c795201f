// Package launch makes environments. The pool decides when one starts; this package knows how.
//
//	warmpool.Pool -> Starter
//	                    |
//	                 Launcher ---- code       folder of the function's code and layers
//	                    |     ---- runtimes   interpreter and bootstrap (place)
//	                    |     ---- logs       stream, INIT_START
//	                    |     ---- variables  Lambda's, the function's own
//	                    |     ---- reach      which network, and whether there is one
//	                    v
//	       sandbox.Start, or Assume of a stem -> environment
//
// A custom runtime, or a built-in one with extensions, speaks HTTP. A bridge of package
// custom stands between it and the environment, which speaks frames (bridged).
//
// A stem is a process that was booted ahead, without a function. The Launcher says which
// stems a function can start from (StemKind): those of its interpreter, its SDK and its
// network.
package launch
