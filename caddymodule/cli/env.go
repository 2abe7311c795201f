package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
)

// quote makes a text one word of a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

var envCommand = &Command{
	Use:   "env",
	Short: "Print the variables that point AWS's tools at this server",
	Long: `Prints what AWS's own tools need, for a shell to take over:

  eval "$(caddy hearth env)"
  aws lambda list-functions

It prints the secret access key.`,
	Run: func(_ context.Context, c *Context) error {
		t, err := c.target()
		if err != nil {
			return err
		}
		// The aws command reads the last one and not the one before, SDKs the other way round.
		names := []string{"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"}
		values := map[string]string{names[0]: t.endpoint, names[1]: t.keyID, names[2]: t.secret, names[3]: t.region, names[4]: t.region}
		return c.print(values, func(w io.Writer) {
			for _, name := range names {
				fmt.Fprintf(w, "export %s=%s\n", name, quote(values[name]))
			}
		})
	},
}
