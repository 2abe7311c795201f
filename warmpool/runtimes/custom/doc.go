// Package custom serves Lambda's Runtime API and Extensions API to the processes
// of an execution environment. An environment knows frames over two pipes; a
// Bridge stands between them and HTTP, so that limits, timeouts and logs are those
// of every other runtime.
//
//	environment ==frames==> Bridge --HTTP--> bootstrap      (custom runtime)
//	                          |  \---HTTP--> extensions
//	                          \==frames====> node, python   (built-in, with extensions)
//
// A frame is read, and so claimed, when the runtime asks for its next invocation
// and the extensions have asked for their next event: that is when the environment
// is frozen on Lambda. The answer goes to the caller at once; what extensions do
// after it delays the next invocation, as there.
//
// Where functions share the machine's network, anybody can connect to the
// endpoint. Each connection is checked when it is accepted, before a byte is read
// (sandbox.Process.CheckPeer).
//
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
package custom
