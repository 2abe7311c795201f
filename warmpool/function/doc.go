// Package function has the types that all other packages share: a function, its
// limits and defaults as on Lambda, names, qualifiers and ARNs.
package function
