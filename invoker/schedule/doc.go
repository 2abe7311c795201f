// Package schedule runs functions by the clock: at rates, by cron expressions and at single
// times, as Amazon EventBridge does.
//
//	Expression   when: rate(5 minutes), cron(0 12 * * ? *), at(2027-01-02T15:04:05)
//	Engine       pushes an event for each tick into the queue of asynchronous events
//
// All nodes compute the same ticks and push the same event for each tick, under the same
// name. The queue recognises the name and keeps exactly one event, so no tick is lost
// with a node. From there on it is an event like any other, with retries and
// destinations.
package schedule
