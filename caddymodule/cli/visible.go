package cli

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Visible makes the text of a function or of a sender harmless on a terminal. Control characters
// could move the cursor, set the clipboard or make the terminal type. Other characters change
// the direction of writing. Visible writes both as JSON does, so that JSON stays valid. Tabs
// and line feeds stay.
func Visible(text string) string {
	if strings.IndexFunc(text, hidden) < 0 && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			// Of eight bits, as 0x9b, which some terminals take for a control character.
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case strings.HasPrefix(text, "\r\n"):
			b.WriteByte('\n')
			size = 2
		case r == '\r':
			b.WriteString(`\r`)
		case hidden(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(text[:size])
		}
		text = text[size:]
	}
	return b.String()
}

func hidden(r rune) bool {
	return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r))
}

// A visible writes text to a terminal so that it is harmless there. Bold and dim pass,
// and end with the Write that they are in. Each Write has whole characters.
type visible struct{ w io.Writer }

// colors are the escape sequences that pass. They change how text looks, and nothing else.
var colors = []string{"\x1b[1m", "\x1b[2m", uncolored}

const uncolored = "\x1b[0m"

func (v visible) Write(p []byte) (int, error) {
	var b strings.Builder
	rest, last := string(p), ""
	for rest != "" {
		at, color := firstColor(rest)
		b.WriteString(Visible(rest[:at]))
		b.WriteString(color)
		last = cmp.Or(color, last)
		rest = rest[at+len(color):]
	}
	if last != "" && last != uncolored {
		b.WriteString(uncolored)
	}
	if _, err := io.WriteString(v.w, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// firstColor is where the first color of text is; its end, if there is none.
func firstColor(text string) (at int, color string) {
	at = len(text)
	for _, c := range colors {
		if n := strings.Index(text, c); n >= 0 && n < at {
			at, color = n, c
		}
	}
	return at, color
}
