// Package cloudformation answers the calls of AWS CloudFormation. What they do is in package
// stack: here is what requests and answers look like.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/Welcome.html
package cloudformation
