package custom

import (
	"fmt"
	"strings"
)

// A Command is how the processes of an environment start.
type Command struct {
	Runtime    []string // program and arguments
	Extensions []string // programs, started before it

	// Descriptors. Only the runtime may have Channel open. The runtime starts with a line from
	// Gate. The script writes to Exits a line "STATUS NAME" when an extension has ended, and
	// "STATUS " when the runtime has ended.
	Channel     []int
	Gate, Exits int
	// Output is where extensions write to; 0 for where the runtime does.
	Output int
}

// Supervised reports whether Args need Gate and Exits.
func (c *Command) Supervised() bool { return len(c.Extensions) > 0 }

// Args are the arguments of the first process. Without extensions it becomes the
// runtime; with them it is a shell that stays: it starts the runtime when they have
// registered, hands SIGTERM on to it, and ends when all have.
func (c *Command) Args() []string {
	if !c.Supervised() {
		return c.Runtime
	}
	var script strings.Builder
	closing := ""
	for _, fd := range c.Channel {
		closing += fmt.Sprintf(" %d>&-", fd)
	}
	output := ""
	if c.Output != 0 {
		output = fmt.Sprintf(" >&%[1]d 2>&%[1]d %[1]d>&-", c.Output)
	}
	for i := range c.Extensions {
		// Each by its number among the arguments: paths are no part of the script. Its
		// status comes from a shell of its own, which outlives it.
		fmt.Fprintf(&script, "( exec %[1]d>&-%[2]s; \"${%[3]d}\" %[4]d>&-%[5]s; echo \"$? ${%[3]d##*/}\" >&%[4]d ) &\n",
			c.Gate, closing, i+1, c.Exits, output)
	}
	if c.Output != 0 {
		fmt.Fprintf(&script, "exec %d>&-\n", c.Output)
	}
	fmt.Fprintf(&script, "read -r line <&%d || exit 1\n", c.Gate)
	// SIGTERM may come at any point from here on. The runtime has half a second to act on
	// it. The second wait is there because the signal ends the first.
	fmt.Fprintf(&script, `shift %[1]d
exec %[2]d>&-
t= r=
end() {
	t=1
	[ -z "$r" ] || { kill $r; { sleep 0.5; kill -9 $r; } %[3]d>&- & }
}
trap end TERM
"$@" %[3]d>&- &
r=$!
exec%[4]s 2>/dev/null
[ -z "$t" ] || end
wait $r
s=$?
while kill -0 $r; do wait $r; s=$?; done
trap '' TERM
echo "$s " >&%[3]d
exec %[3]d>&-
wait
exit $s
`, len(c.Extensions), c.Gate, c.Exits, closing)
	return c.shell(script.String())
}

func (c *Command) shell(script string) []string {
	args := append([]string{"/bin/sh", "-c", script, "sh"}, c.Extensions...)
	return append(args, c.Runtime...)
}
