// Package code knows where the code of functions is. It follows a folder of the
// user's own for changes. It stores an archive by its digest and unpacks it once.
//
//	path of a folder  ------------------------------------------> mounted as it is
//	  left alone a while --> Copy ------> merged/DIGEST ---------> mounted in its place
//	zip, jar, upload --> Store.Add --> archive/DIGEST
//	                                     | Unpack, once
//	                                     v
//	                                   tree/DIGEST --------------> mounted
//	layers ----------------> Merge --> merged/DIGEST (hard links) > mounted at /opt
//	either of these -------> Compile > compiled/DIGEST-KIND ------> mounted in its place
//
// Archives come from strangers. The package reads the list of entries before it writes
// anything. It refuses an archive, and names the entry, if the entry leads out of the
// tree, lies about its size, or can be read in two ways.
package code
