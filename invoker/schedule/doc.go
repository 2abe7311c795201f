// Package schedule runs functions by the clock: rates, cron expressions and single times,
// as Amazon EventBridge has them.
//
//	Expression   when: rate(5 minutes), cron(0 12 * * ? *), at(2027-01-02T15:04:05)
//	Engine       pushes an event for each tick into the queue of asynchronous events
//
// All nodes compute the same ticks and push the same event for each, under a name that
// the queue knows again: so exactly one is kept, whoever is first, and none is lost with
// a node. From there on it is an event like others, with retries and destinations.
package schedule
