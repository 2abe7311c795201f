// Package code knows where the code of functions is: in a folder of the user's
// own, which is followed for changes, or in an archive, which is kept by its
// digest and unpacked once.
//
//	path of a folder  ------------------------------------------> mounted as it is
//	zip, jar, upload --> Store.Add --> archive/DIGEST
//	                                     | Unpack, once
//	                                     v
//	                                   tree/DIGEST --------------> mounted
//	layers ----------------> Merge --> merged/DIGEST (hard links) > mounted at /opt
//
// Archives come from strangers. Their list is read before anything is written, and
// what leads out of the tree, lies about its size or means two things is refused
// with the entry's name.
package code
