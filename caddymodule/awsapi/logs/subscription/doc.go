// Package subscription sends what is logged to functions: the subscription filters of log groups.
//
//	Store     the filters, which all nodes have in common
//	Node      follows the log groups of this node: one follower for each filter
//	follower  reads events from its mark on ── pattern ── batch by log stream ── Dispatch ── new mark
//
// A mark is the place up to which events were handed over. It is a file of this node, as the logs
// are, and moves only after Dispatch has kept the batches before it: a crash sends some batches
// twice, and loses none.
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
package subscription
