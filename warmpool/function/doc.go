// Package function is the vocabulary of the house: what a function is, its
// limits and defaults as Lambda has them, names, qualifiers and ARNs.
package function
