// Package scheduler answers Amazon EventBridge Scheduler: schedules at a time, at a rate and by
// cron expressions, and groups of them.
//
//	scheduler          group/NAME            a group with its tags; default has none at first
//	                   schedule/GROUP/NAME   a schedule
//
// Schedules are what the clock reads of them, which package schedule is. They are read again
// when they change, here or on another node.
//
// https://docs.aws.amazon.com/scheduler/latest/APIReference/Welcome.html
package scheduler
