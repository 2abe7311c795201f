// Package ssm answers the part of AWS Systems Manager that keeps parameters, the Parameter
// Store. Of a parameter it keeps the current version alone.
//
//	ssm     NAME    a parameter with its tags
//
// The value of a SecureString is encrypted by a key that is made of the secret of the first
// access key in the file credentials. It is of no use to those who have the state store alone.
//
// https://docs.aws.amazon.com/systems-manager/latest/userguide/systems-manager-parameter-store.html
package ssm
