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
// is frozen (freeze.go). The answer goes to the caller at once. What extensions do
// after it delays the next invocation, as on Lambda.
//
// # Start and end
//
// Without extensions the first process is the runtime, and the environment ends at once.
// With external extensions the first process is a shell that stays (Command), because
// the pid namespace ends with its first process:
//
//	sh ---- extensions        started first; the gate opens when they have registered
//	 |  \--- runtime          started when the gate opens
//	 \---> exits: "0 name", "1 "   the process that has ended, and how
//
// The shell passes SIGTERM on to the runtime, which has half a second. Then the extensions
// have the rest of two seconds (shutdown.go). The same holds when the environment kills
// its process for a timeout: Kill waits for the extensions.
//
// # Telemetry
//
// Telemetry gets everything that the environment's log stream gets (logs.Tap), and sends it
// to the extensions that have subscribed (telemetry.go). External extensions have their
// own output pipe, which separates their lines from the function's.
//
// # Access to the endpoint
//
// If functions share the machine's network, any process can connect to the endpoint. The
// bridge checks each connection when it accepts it, before it reads a byte
// (sandbox.Process.CheckPeer). If the function has its own network, a thread enters that
// network and makes the endpoint there (sandbox.Process.Listen).
//
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
package custom
