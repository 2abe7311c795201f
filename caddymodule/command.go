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
	"golang.org/x/term"

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
		},
	})
}

func cobraCommand(c *cli.Command) *cobra.Command {
	command := &cobra.Command{Use: c.Use, Short: c.Short, Long: c.Long, Args: cobra.ArbitraryArgs}
	cli.CommonFlags(command.Flags())
	if c.Flags != nil {
		c.Flags(command.Flags())
	}
	command.SetFlagErrorFunc(func(command *cobra.Command, err error) error {
		usage := func(caddycmd.Flags) (int, error) { return cli.ExitUsage, err }
		return caddycmd.WrapCommandFuncForCobra(usage)(command, nil)
	})
	command.RunE = caddycmd.WrapCommandFuncForCobra(func(flags caddycmd.Flags) (int, error) {
		if n := flags.NArg(); n < c.Args || n > c.MaxArgs {
			return cli.ExitUsage, fmt.Errorf("usage: caddy hearth %s", c.Use)
		}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err := c.Run(ctx, &cli.Context{
			Flags: flags.FlagSet, Out: os.Stdout, Err: os.Stderr, In: os.Stdin, Getenv: os.Getenv,
			Admin: func(address, method, uri string) (*http.Response, error) {
				return caddycmd.AdminAPIRequest(address, method, uri, nil, nil)
			},
			DataDir: filepath.Join(caddy.AppDataDir(), "hearth"),
			RootCA:  filepath.Join(caddy.AppDataDir(), "pki", "authorities", "local", "root.crt"),
			Color:   term.IsTerminal(int(os.Stderr.Fd())) && os.Getenv("NO_COLOR") == "",
		})
		return cli.ExitCode(err), cli.Explain(err)
	})
	return command
}
