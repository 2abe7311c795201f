package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"

	"github.com/hearthfn/hearth/caddymodule/engine"
	"github.com/hearthfn/hearth/invoker"
)

var eventsCommand = &Command{
	Use:   "events [list | show ID | replay ID | purge ID]",
	Short: "Look at events that wait or were given up, and deliver them again",
	Long: `Without an argument, says how many events are kept for each function. The server is
reached by its admin endpoint.

  events list [--function NAME] [--dead]    events that wait, or that were given up
  events show ID                            one event with its payload
  events replay ID | --all [--function]     deliver events that were given up again
  events purge ID | --all [--function]      remove events that were given up; by ID any`,
	MaxArgs: 2,
	Flags: func(f *pflag.FlagSet) {
		f.String("function", "", "Only events of this function")
		f.Bool("dead", false, "Those that were given up")
		f.Bool("all", false, "All that were given up (replay, purge)")
		f.Int("limit", 100, "How many at most (list)")
		f.String("after", "", "The next of the page before (list)")
		f.String("admin", "", "Address of the server's admin endpoint (default: that of the server on this machine)")
	},
	Run: events,
	Words: func(before []string) []string {
		if len(before) > 0 {
			return nil
		}
		return []string{"list", "show", "replay", "purge"}
	},
}

func events(_ context.Context, c *Context) error {
	action, id := c.Flags.Arg(0), c.Flags.Arg(1)
	query := url.Values{}
	set := func(name, value string) {
		if value != "" {
			query.Set(name, value)
		}
	}
	set("function", c.text("function"))
	set("id", id)
	switch action {
	case "":
		var stats []invoker.Stat
		return c.admin(http.MethodGet, "/hearth/events", query, &stats, func(w io.Writer) {
			if len(stats) == 0 {
				fmt.Fprintln(w, "no events are kept")
				return
			}
			table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
			defer table.Flush() // to a buffer or a terminal
			fmt.Fprintln(table, "FUNCTION\tWAITING\tRUNNING\tDEAD\tNEXT")
			for _, s := range stats {
				next := ""
				if !s.Due.IsZero() {
					next = s.Due.Format(time.RFC3339)
				}
				fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%s\n", s.Function, s.Waiting, s.Running, s.Dead, next)
			}
		})
	case "list":
		if c.is("dead") {
			query.Set("dead", "true")
		}
		limit, _ := c.Flags.GetInt("limit")
		query.Set("limit", fmt.Sprint(limit))
		set("after", c.text("after"))
		var page engine.EventPage
		return c.admin(http.MethodGet, "/hearth/events/list", query, &page, func(w io.Writer) { printEvents(w, &page) })
	case "show":
		if id == "" {
			return usage("which event? caddy hearth events show ID")
		}
		var event json.RawMessage
		return c.admin(http.MethodGet, "/hearth/events/show", query, &event, func(w io.Writer) {
			indented, err := json.MarshalIndent(event, "", "  ")
			if err == nil {
				fmt.Fprintf(w, "%s\n", indented)
			}
		})
	case "replay", "purge":
		if (id == "") == !c.is("all") {
			return usage("which events? caddy hearth events %s ID, or --all", action)
		}
		method, path, done := http.MethodPost, "/replay", "delivered again"
		if action == "purge" {
			method, path, done = http.MethodDelete, "", "removed"
			if c.is("all") {
				query.Set("dead", "true")
			}
		}
		var count engine.EventCount
		return c.admin(method, "/hearth/events"+path, query, &count, func(w io.Writer) { fmt.Fprintf(w, "%s %s\n", plural(count.Events, "event"), done) })
	}
	return usage("there is no events %s; there are list, show, replay and purge", action)
}

func printEvents(w io.Writer, p *engine.EventPage) {
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	defer table.Flush() // to a buffer or a terminal
	fmt.Fprintln(table, "ID\tACCEPTED\tATTEMPTS\tSTATE\tABOUT")
	for _, e := range p.Events {
		state := "due " + e.Due.Format(time.RFC3339)
		if e.Condition != "" {
			state = e.Condition
		}
		if e.Error != "" {
			state += ": " + e.Error
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%.80s\t%s\n", e.ID, e.Accepted.Format(time.RFC3339), e.Attempts, state, e.Subject)
	}
	if p.Next != "" {
		fmt.Fprintf(table, "more: --after %s\n", p.Next)
	}
}

// maxAnswer bounds what is read of the admin endpoint, in bytes.
const maxAnswer = 64 << 20

// admin asks the server's admin endpoint, and prints what it answers.
func (c *Context) admin(method, path string, query url.Values, into any, text func(io.Writer)) error {
	body, err := c.askAdmin(method, path, query, into)
	if err != nil {
		return err
	}
	return c.print(json.RawMessage(body), text)
}

// askAdmin asks the server's admin endpoint, and reads the answer into a value.
func (c *Context) askAdmin(method, path string, query url.Values, into any) ([]byte, error) {
	address := c.text("admin")
	if address == "" {
		dir := cmp.Or(c.text("data-dir"), c.Getenv("HEARTH_DATA_DIR"), c.DataDir)
		lines, err := readLines(filepath.Join(dir, "admin"))
		if err != nil {
			return nil, fmt.Errorf("no server with an admin endpoint runs with the data directory %s (%w): give --admin, or --data-dir", dir, err)
		}
		address = lines[0]
	}
	answer, err := c.Admin(address, method, path+"?"+query.Encode())
	if err != nil {
		return nil, adminError(address, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return nil, errors.New("the admin endpoint did not answer JSON")
	}
	return body, nil
}

// inAdminError is how Caddy words what its admin endpoint answers.
var inAdminError = regexp.MustCompile(`HTTP (\d{3}): (\{.*\})`)

// A missingError says that there is no such thing.
type missingError struct{ text string }

func (e missingError) Error() string { return e.text }

// adminError takes what the endpoint says out of its wrapping.
func adminError(address string, err error) error {
	if strings.Contains(err.Error(), "connection refused") || strings.Contains(err.Error(), "connect: no such file") {
		return fmt.Errorf("no server answers at the admin endpoint %s: is it running?", address)
	}
	found := inAdminError.FindStringSubmatch(err.Error())
	var body struct{ Error string }
	if found == nil || json.Unmarshal([]byte(found[2]), &body) != nil || body.Error == "" {
		return err
	}
	if found[1] == "404" {
		return missingError{body.Error}
	}
	return errors.New(body.Error)
}
