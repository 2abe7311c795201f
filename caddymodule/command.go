package caddymodule

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/hearthfn/hearth/caddymodule/cli"
	"github.com/hearthfn/hearth/warmpool/runtimes"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "hearth",
		Short: "Deploys, invokes and looks at functions",
		Long: `
Deploys, invokes and looks at functions of a running server. On the server's own machine,
as the user it runs as, it is found without a flag. From elsewhere a site of it needs the
directive lambda_api; AWS_ENDPOINT_URL (or --endpoint), AWS_ACCESS_KEY_ID and
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
	complete(command, c)
	cli.CommonFlags(command.Flags())
	if c.Flags != nil {
		c.Flags(command.Flags())
	}
	if command.Flags().Lookup("runtime") != nil {
		_ = command.RegisterFlagCompletionFunc("runtime", cobra.FixedCompletions(runtimes.Supported(), cobra.ShellCompDirectiveNoFileComp))
	}
	command.SetFlagErrorFunc(func(command *cobra.Command, err error) error { return exit(command, cli.ExitUsage, err) })
	command.RunE = func(command *cobra.Command, args []string) error {
		if n := len(args); n < c.Args || n > c.MaxArgs {
			return exit(command, cli.ExitUsage, fmt.Errorf("usage: caddy hearth %s", c.Use))
		}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err := c.Run(ctx, newContext(command))
		return exit(command, cli.ExitCode(err), cli.Explain(err))
	}
	return command
}

func newContext(command *cobra.Command) *cli.Context {
	_, caddyVersion := caddy.Version()
	return &cli.Context{
		Flags: command.Flags(), Out: stream(command, os.Stdout), Err: stream(command, os.Stderr), In: os.Stdin, Getenv: os.Getenv,
		Admin: func(address, method, uri string) (*http.Response, error) {
			return caddycmd.AdminAPIRequest(address, method, uri, nil, nil)
		},
		Server: func(config string) (string, []string, error) {
			program, err := os.Executable()
			return program, []string{"run", "--config", config}, err
		},
		Versions: []string{"hearth", Version(), "caddy", caddyVersion, "go", strings.TrimPrefix(runtime.Version(), "go")},
		DataDir:  filepath.Join(caddy.AppDataDir(), "hearth"),
		RootCA:   filepath.Join(caddy.AppDataDir(), "pki", "authorities", "local", "root.crt"),
	}
}

// completesWithin bounds how long a shell waits for the names of functions.
const completesWithin = 2 * time.Second

// complete has a shell complete the names of functions and runtimes.
func complete(command *cobra.Command, c *cli.Command) {
	command.ValidArgsFunction = func(command *cobra.Command, args []string, begin string) ([]string, cobra.ShellCompDirective) {
		switch {
		case c.Words != nil:
			return c.Words(args), cobra.ShellCompDirectiveNoFileComp
		case !c.Names:
			return nil, cobra.ShellCompDirectiveDefault
		case len(args) >= c.MaxArgs:
			return nil, cobra.ShellCompDirectiveNoFileComp
		case len(args) > 0 && c.MaxArgs < 10:
			return nil, cobra.ShellCompDirectiveDefault // a payload, perhaps @FILE
		}
		ctx, cancel := context.WithTimeout(context.Background(), completesWithin)
		defer cancel()
		return cli.FunctionNames(ctx, newContext(command)), cobra.ShellCompDirectiveNoFileComp
	}
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
