// Package policy evaluates policies of AWS's: what a principal may do, by what its role's
// policies say, and who may assume a role or invoke a function. It is pure.
//
//	Parse          a policy, which the grammar of package iam allows
//	Document.Of    what the policy says of a request: Allow, Deny, or Nothing
//	Decide         the policies of a role together, with its boundary
//	Conditions     the Condition of one statement alone
//
// What is not known here is decided for safety: a statement with an operator or a key of a
// condition that this package does not know allows nothing, and denies.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
package policy
