package caddymodule

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/hearthfn/hearth/caddymodule/cli"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "hearth",
		Short: "Deploys, invokes and looks at functions",
		Long: `
Deploys, invokes and looks at functions of a running server, whose site has the
directive lambda_api. On the server's own machine, as the user it runs as, it is found
without a flag; else AWS_ENDPOINT_URL (or --endpoint), AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY say where it is and who asks.

Exit codes: 0 done, 1 refused, 2 wrong arguments, 3 the function failed, 4 no such function.`,
		CobraFunc: func(root *cobra.Command) {
			for _, c := range cli.Commands() {
				root.AddCommand(cobraCommand(c))
			}
			root.Args = cobra.ArbitraryArgs
			root.RunE = func(command *cobra.Command, args []string) error {
				if len(args) == 0 {
					return command.Help()
				}
				return exit(command, cli.ExitUsage, fmt.Errorf("there is no caddy hearth %s: see caddy help hearth", args[0]))
			}
		},
	})
}

func cobraCommand(c *cli.Command) *cobra.Command {
	command := &cobra.Command{Use: c.Use, Short: c.Short, Long: c.Long, Args: cobra.ArbitraryArgs}
	cli.CommonFlags(command.Flags())
	if c.Flags != nil {
		c.Flags(command.Flags())
	}
	command.SetFlagErrorFunc(func(command *cobra.Command, err error) error { return exit(command, cli.ExitUsage, err) })
	command.RunE = func(command *cobra.Command, args []string) error {
		if n := len(args); n < c.Args || n > c.MaxArgs {
			return exit(command, cli.ExitUsage, fmt.Errorf("usage: caddy hearth %s", c.Use))
		}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err := c.Run(ctx, &cli.Context{
			Flags: command.Flags(), Out: stream(command, os.Stdout), Err: stream(command, os.Stderr), In: os.Stdin, Getenv: os.Getenv,
			Admin: func(address, method, uri string) (*http.Response, error) {
				return caddycmd.AdminAPIRequest(address, method, uri, nil, nil)
			},
			DataDir: filepath.Join(caddy.AppDataDir(), "hearth"),
			RootCA:  filepath.Join(caddy.AppDataDir(), "pki", "authorities", "local", "root.crt"),
		})
		return exit(command, cli.ExitCode(err), cli.Explain(err))
	}
	return command
}

func stream(command *cobra.Command, file *os.File) cli.Stream {
	raw, _ := command.Flags().GetBool("raw")
	return cli.NewStream(file, raw, os.Getenv("NO_COLOR") != "")
}

// exit prints an error and makes the process end with a code. Caddy itself would write the
// error as a log line, which a user at a terminal does not expect from a client.
func exit(command *cobra.Command, code int, err error) error {
	if err == nil {
		return nil
	}
	stderr := stream(command, os.Stderr)
	fmt.Fprint(os.Stderr, stderr.Red("Error:")) // not by the stream, which would escape the color
	fmt.Fprintf(stderr, " %v\n", err)
	command.SilenceErrors, command.SilenceUsage = true, true
	if code > cli.ExitFailed {
		// Caddy ends the process with the code of this error, and prints nothing for it.
		return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return code, nil })(command, nil)
	}
	return err
}
