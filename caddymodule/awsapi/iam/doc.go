// Package iam keeps the part of AWS Identity and Access Management that deploy tools need:
// roles, and managed policies with their versions. Roles are what package access evaluates of
// them: what credentials of a role may do. What an access key may do is in the configuration.
//
//	iam     role/NAME      a role with its inline policies, what is attached to it, and its tags
//	        policy/NAME    a managed policy with its versions and tags
//
// NAME is in small letters, because names are not distinguished by case. All documents have
// one owner, so that a change sees the roles that a policy is attached to. A call reads all
// of them.
//
// AWS's own managed policies exist by their ARN; of the common ones the document is known.
//
// https://docs.aws.amazon.com/IAM/latest/APIReference/welcome.html
package iam
