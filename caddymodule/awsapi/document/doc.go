// Package document keeps what AWS services are told, as JSON values in package state. The
// documents of one owner, an API with its routes and stages for example, change together.
//
//	OWNER     head      written by every change; a change that lost the race decides again
//	          NAME      a document
//
// It is the counterpart of the function registry for services that have no hot path.
package document
