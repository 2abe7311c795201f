// Package registry stores the functions that the Lambda API makes, with their
// versions, aliases, layers and settings, as records of package state.
//
//	function/NAME   head                  the last version number, never reused
//	                latest                a Version: $LATEST
//	                version/%020d         a Version: published, never changed
//	                alias/ALIAS           an Alias
//	                KIND/QUALIFIER        a setting: url, invoke, provisioned, policy,
//	                                      concurrency, tags, recursion, management
//	layer/NAME      head, version/%020d   a LayerVersion
//	mapping/UUID    head, mapping         a Mapping
//	url/ID          place                 where the function URL of that ID is set
//
// Every write of an owner also writes the owner's head, and expects the revision of
// the head that the writer read first. So each write is based on records that did
// not change meanwhile, without locks and on any store. A writer that lost the race
// reads again and repeats its decision. The head of a deleted function stays,
// because AWS does not reuse version numbers, not even for a function that is made
// again.
//
// A view caches everything that invocations of one function need. An invalidation
// drops the view. A reader puts what it read into the view that it had before it
// read, so nothing old gets into a new view.
package registry
