package cli

import (
	"io"
	"os"

	"golang.org/x/term"
)

// A Stream is the standard output or standard error of a command. Each has its own color
// setting, because one may be a terminal and the other a file or a pipe.
type Stream struct {
	io.Writer
	Color bool
}

// NewStream is a file for what functions and senders wrote. A terminal does not do what that
// says, unless it is raw, and has colors, unless there is noColor. Files and pipes get what
// is written as it is, without colors.
func NewStream(file *os.File, raw, noColor bool) Stream {
	if !term.IsTerminal(int(file.Fd())) {
		return Stream{Writer: file}
	}
	if raw {
		return Stream{file, !noColor}
	}
	return Stream{visible{file}, !noColor}
}

// Red is for text that is written to the file itself: a Stream on a terminal lets only bold
// and dim pass.
func (s Stream) Red(text string) string { return s.paint("31", text) }

func (s Stream) bold(text string) string { return s.paint("1", text) }
func (s Stream) dim(text string) string  { return s.paint("2", text) }

func (s Stream) paint(code, text string) string {
	if !s.Color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
