package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"

	"github.com/hearthfn/hearth/caddymodule/engine"
)

func adminFlag(f *pflag.FlagSet) {
	f.String("admin", "", "Address of the server's admin endpoint (default: that of the server on this machine)")
}

var nodesCommand = &Command{
	Use:   "nodes",
	Short: "List the nodes that share a Redis",
	Long:  `Lists the nodes that live, as the server on this machine, or the one of --admin, sees them.`,
	Flags: adminFlag,
	Run: func(_ context.Context, c *Context) error {
		var list engine.NodeList
		return c.admin(http.MethodGet, "/hearth/nodes", nil, &list, func(w io.Writer) {
			if len(list.Nodes) == 0 {
				fmt.Fprintln(w, "this node is alone: it has no redis")
				return
			}
			table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
			defer table.Flush() // to a buffer or a terminal
			fmt.Fprintln(table, "NODE\tADDRESS\tUP\tSTATE")
			for _, n := range list.Nodes {
				what := "serving"
				if n.Draining {
					what = "draining"
				}
				if n.Name == list.Self {
					what += ", this one"
				}
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", n.Name, n.Address, time.Since(n.Started).Round(time.Second), what)
			}
		})
	},
}

var drainCommand = &Command{
	Use:   "drain",
	Short: "Have a node take no calls of others and no more events, before it is stopped",
	Long: `Other nodes hand no calls to a draining node, and it takes up no more events and polls no sources; what it
runs goes on, and requests that still come to it are answered. Stop it then. --off undoes it.`,
	Flags: func(f *pflag.FlagSet) {
		adminFlag(f)
		f.Bool("off", false, "Take calls and events again")
	},
	Run: func(_ context.Context, c *Context) error {
		method, done := http.MethodPost, "drains"
		if c.is("off") {
			method, done = http.MethodDelete, "serves again"
		}
		var answer engine.Drained
		return c.admin(method, "/hearth/drain", nil, &answer, func(w io.Writer) { fmt.Fprintf(w, "the node %s\n", done) })
	},
}
