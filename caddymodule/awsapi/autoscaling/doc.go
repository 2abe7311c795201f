// Package autoscaling answers the part of Application Auto Scaling that is about the
// provisioned concurrency of functions: scalable targets, scheduled actions and policies of
// target tracking, in AWS's JSON 1.1 protocol. Package scaling acts on them.
//
// https://docs.aws.amazon.com/autoscaling/application/APIReference/Welcome.html
package autoscaling
