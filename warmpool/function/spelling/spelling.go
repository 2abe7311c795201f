// Package spelling finds what somebody meant who wrote a name that there is not.
package spelling

import (
	"fmt"
	"strings"
)

// longest is the length of the longest word that is compared, in bytes. The time grows with its
// square.
const longest = 64

// Nearest is the name that a misspelt word most likely means, "" if none is near. Names that
// differ from the word in up to a third of its letters are near, and at most in three.
func Nearest(word string, names []string) string {
	nearest, least := "", min(3, (len(word)+1)/3)+1
	if len(word) > longest {
		return ""
	}
	for _, name := range names {
		if len(name) > longest {
			continue
		}
		if d := distance(strings.ToLower(word), strings.ToLower(name)); d < least {
			nearest, least = name, d
		}
	}
	return nearest
}

// Meant is the question that an error about a word ends with, ": did you mean ...?", or "".
func Meant(word string, names []string) string {
	if name := Nearest(word, names); name != "" {
		return fmt.Sprintf(": did you mean %s?", name)
	}
	return ""
}

// distance is how many letters are to be put in, taken out, replaced or swapped with their
// neighbour.
func distance(a, b string) int {
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(next[j]+1, row[j+1]+1, row[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}
