// Package registry keeps the functions that the Lambda API makes: their
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
// Every write of an owner also writes its head, expecting the revision that it
// read before all else. So each write is decided on records that did not change
// meanwhile, without locks and on any store; a writer that lost decides again.
// The head of a deleted function stays: AWS does not reuse version numbers,
// not even for a function that is made again.
//
// What an invocation needs is cached per function, whole, in a view: an
// invalidation drops the view, and a reader puts what it read into the view that
// it held before it read. So nothing old gets into a new view.
package registry
