// Package invoker is the asynchronous half of Hearth: it will accept pushed
// events, keep them durably, and deliver, retry or bury them, beside the pollers
// of queues and streams. There is no code here yet; the synchronous half, package
// warmpool, is what it will stand on.
package invoker
