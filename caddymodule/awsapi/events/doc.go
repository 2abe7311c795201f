// Package events answers the part of Amazon EventBridge that applications on Lambda use: event
// buses, rules with event patterns or schedules, their targets, and PutEvents.
//
//	events   bus/NAME         a custom event bus with its tags
//	         rule/BUS/NAME    a rule with its targets and tags
//
// All documents have one owner. A call reads all of them, except for PutEvents.
//
// Rules are what PutEvents and the clock read of them: the rules, ready to match, until they
// change here or on another node. An event that PutEvents accepts is in the durable queue for
// each target before the call is answered. Schedules are run by package schedule.
//
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/Welcome.html
package events
