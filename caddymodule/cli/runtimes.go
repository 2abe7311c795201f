package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"

	"github.com/hearthfn/hearth/warmpool/runtimes"
	"github.com/hearthfn/hearth/warmpool/runtimes/install"
)

var runtimesCommand = &Command{
	Use:   "runtimes [install NAME...]",
	Short: "List what serves each runtime on this machine, or install what is missing",
	Long: `Lists, for each runtime, the interpreter that serves it, the AWS SDK that functions find, what
Lambda has and this machine has not, and the command that brings it: as the server on this machine has
it, or, when none runs, as one would have it that names no interpreters.

install NAME... brings what is missing into the data directory, where servers find it at once:

  nodejs24.x             Node.js, from npm
  python3.13, java21     the package of the machine, if it has one
  aws-sdk                the AWS SDK for JavaScript v3, all of it, from npm
  @aws-sdk/client-NAME   some of it
  aws-sdk-v2             the AWS SDK for JavaScript v2, for nodejs16.x
  boto3                  the AWS SDK for Python, from the machine's package archive`,
	MaxArgs: 1 << 10,
	Flags: func(f *pflag.FlagSet) {
		adminFlag(f)
		f.String("dir", "", "Where to install to (default: the folder runtimes of the data directory)")
	},
	Run: func(ctx context.Context, c *Context) error {
		switch names := c.Flags.Args(); {
		case len(names) == 0:
			return c.listRuntimes()
		case names[0] == "install" && len(names) > 1:
			return c.installRuntimes(ctx, names[1:])
		}
		return usage("runtimes takes nothing, or install and the names of what is to be installed")
	},
}

func (c *Context) dataDir() string {
	return cmp.Or(c.text("data-dir"), c.Getenv("HEARTH_DATA_DIR"), c.DataDir)
}

func (c *Context) listRuntimes() error {
	var statuses []runtimes.Status
	show := func(w io.Writer) { showRuntimes(w, statuses) }
	_, err := os.Stat(filepath.Join(c.dataDir(), "admin"))
	if c.text("admin") != "" || err == nil {
		return c.admin(http.MethodGet, "/hearth/runtimes", nil, &statuses, show)
	}
	c.say("no server runs with the data directory %s: as one would find it", c.dataDir())
	statuses = runtimes.NewFinder(nil, runtimes.Installed(c.dataDir())).Statuses()
	return c.print(statuses, show)
}

func showRuntimes(w io.Writer, statuses []runtimes.Status) {
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "RUNTIME\tSERVED BY\tPATH\tAWS SDK")
	for _, s := range statuses {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", s.Runtime, cmp.Or(s.Program, "-"), cmp.Or(s.Path, "-"), cmp.Or(s.SDK, "-"))
	}
	table.Flush() // to a buffer or a terminal
	for _, s := range statuses {
		if s.Missing != "" {
			fmt.Fprintf(w, "%s lacks %s: %s\n", s.Runtime, s.Missing, s.Install)
		}
	}
}

func (c *Context) installRuntimes(ctx context.Context, names []string) error {
	dir := c.text("dir")
	own := dir == ""
	dir, err := filepath.Abs(cmp.Or(dir, runtimes.Installed(c.dataDir())))
	if err != nil {
		return err
	}
	installer := &install.Installer{Dir: dir, Say: c.say}
	done, err := installer.Install(ctx, names)
	if err == nil || len(done) > 0 {
		if err := c.print(map[string]any{"dir": dir, "installed": done}, func(w io.Writer) {
			fmt.Fprintln(w, strings.Join(done, "\n"))
			if !own {
				fmt.Fprintln(w, "name them in the Caddyfile: hearth { runtimes { NAME PATH } }")
			}
		}); err != nil {
			return err
		}
	}
	return err
}
