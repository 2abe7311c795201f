package stack

import "fmt"

// A wording is an error in AWS's words, which are sentences.
type wording string

func (w wording) Error() string { return string(w) }

func sentence(format string, args ...any) error { return wording(fmt.Sprintf(format, args...)) }
