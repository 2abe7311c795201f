// Package code knows where the code of functions is. Today that is a folder of
// the user's own, which is followed for changes.
package code
