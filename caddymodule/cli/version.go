package cli

import (
	"context"
	"fmt"
	"io"
)

var versionCommand = &Command{
	Use:   "version",
	Short: "Print the versions of Hearth, Caddy and Go",
	Long:  `Prints the version of Hearth in this program, and those of Caddy and Go.`,
	Run: func(_ context.Context, c *Context) error {
		values := make(map[string]string)
		for i := 0; i+1 < len(c.Versions); i += 2 {
			values[c.Versions[i]] = c.Versions[i+1]
		}
		return c.print(values, func(w io.Writer) {
			for i := 0; i+1 < len(c.Versions); i += 2 {
				fmt.Fprintf(w, "%s %s\n", c.Versions[i], c.Versions[i+1])
			}
		})
	},
}
