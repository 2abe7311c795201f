// Package access says what the credentials of a role may do.
//
//	Call ── Needs      the actions and resources of an operation, by its service's table
//	     ── Authority  evaluates the policies of the role for each
//	     -> nil, or a Denied in AWS's words
//
// Access keys of the configuration are the account's root: they may do everything. Credentials of
// a role (package sigv4) may do what its policies say (package policy).
package access
