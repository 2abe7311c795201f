package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/hearthfn/hearth/caddymodule/engine"
)

var schedulesCommand = &Command{
	Use:   "schedules",
	Short: "List the functions that run by the clock",
	Long:  `Lists the schedules of the server on this machine, or of the one of --admin, and when each runs next.`,
	Flags: adminFlag,
	Run: func(_ context.Context, c *Context) error {
		var list engine.ScheduleList
		return c.admin(http.MethodGet, "/hearth/schedules", nil, &list, func(w io.Writer) {
			if len(list.Schedules) == 0 {
				fmt.Fprintln(w, "there are no schedules: add schedule to the hearth global option")
				return
			}
			table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
			defer table.Flush() // to a buffer or a terminal
			fmt.Fprintln(table, "SCHEDULE\tEXPRESSION\tFUNCTION\tNEXT")
			for _, s := range list.Schedules {
				next := "never"
				if s.Next != nil {
					next = s.Next.Local().Format(time.RFC3339)
				}
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", s.Name, s.Expression, s.Function, next)
			}
		})
	},
}
