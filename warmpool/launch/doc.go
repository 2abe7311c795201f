// Package launch makes environments: it brings together what the pool, which decides when
// one starts, does not know.
//
//	warmpool.Pool -> Starter
//	                    |
//	                 Launcher ---- code       folder of the function's code and layers
//	                    |     ---- runtimes   interpreter and bootstrap (place)
//	                    |     ---- logs       stream, INIT_START
//	                    |     ---- variables  Lambda's, the function's own
//	                    |     ---- reach      which network, and whether it can be had
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
