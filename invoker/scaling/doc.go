// Package scaling changes the provisioned concurrency of functions by the clock and by their
// use, as Application Auto Scaling does for Lambda.
//
//	scaling/NAME:QUALIFIER   document       a Document: the target with its scheduled actions,
//	                                        policies and latest activities
//
// All that is known of a target is one record, so each step is one comparison and one write:
// of several nodes one carries out a scheduled action, and one judges a minute. What is asked
// for is then compared with what there is, by every node, and set. That may happen twice.
//
// https://docs.aws.amazon.com/autoscaling/application/userguide/services-that-can-integrate-lambda.html
package scaling
