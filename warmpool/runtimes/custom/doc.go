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
// # Who starts and ends
//
// Without extensions the first process is the runtime, and the end is at once. With
// external ones it is a shell that stays (Command), because the end of the first process
// is the end of its pid namespace:
//
//	sh ---- extensions        started first; the gate opens when they have registered
//	 |  \--- runtime          then this one
//	 \---> exits: "0 name", "1 "   who has ended, and how
//
// SIGTERM to the shell goes on to the runtime, which has half a second; then the
// extensions have until two seconds are over (shutdown.go). That is so too when the
// environment kills its process for a timeout: Kill takes as long as there are extensions
// to tell.
//
// # Telemetry
//
// What the environment's log stream gets goes to Telemetry as well (logs.Tap), and from
// there to the extensions that have subscribed (telemetry.go). External extensions have an
// output pipe of their own, so that their lines can be told from the function's.
//
// # Who may connect
//
// Where functions share the machine's network, anybody can connect to the
// endpoint. Each connection is checked when it is accepted, before a byte is read
// (sandbox.Process.CheckPeer). In a network of its own the endpoint is made there, by
// a thread that enters it (sandbox.Process.Listen).
//
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
package custom
