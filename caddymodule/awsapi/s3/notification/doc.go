// Package notification is what the configurations of buckets say of events: which functions run
// for which objects. It is pure but for its Store.
//
//	PutBucketNotificationConfiguration
//	   | Parse        what is no function is refused by name
//	   | Check        events, filters, overlaps
//	   v
//	Store             the configurations of each bucket, which all nodes have in common
//	   | Target       one entry at the object store for each, beside those of others
//	   v
//	the store posts an event ── Match ── functions
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventNotifications.html
package notification
