package cli

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

var stacksCommand = &Command{
	Use:   "stacks",
	Short: "List the stacks, with their status",
	Long: `Lists the stacks that deploy, or any other tool, made of templates, with the status of
each. A stack that was deleted is not listed.`,
	Run: stacks,
}

// A listedStack is a stack as --json lists it.
type listedStack struct {
	Name        string `json:"name"`
	Status      string `json:"status"`
	Reason      string `json:"reason,omitempty"`
	Changed     string `json:"changed"` // when it was made or changed last
	Description string `json:"description,omitempty"`
}

func stacks(ctx context.Context, c *Context) error {
	t, err := c.target()
	if err != nil {
		return err
	}
	all := []listedStack{}
	pages := cloudformation.NewDescribeStacksPaginator(t.stacks(), &cloudformation.DescribeStacksInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, s := range page.Stacks {
			changed := aws.ToTime(s.CreationTime)
			if s.LastUpdatedTime != nil {
				changed = *s.LastUpdatedTime
			}
			all = append(all, listedStack{
				Name: aws.ToString(s.StackName), Status: string(s.StackStatus), Reason: aws.ToString(s.StackStatusReason),
				Changed: changed.Format(time.RFC3339), Description: aws.ToString(s.Description),
			})
		}
	}
	return c.print(all, func(w io.Writer) {
		if len(all) == 0 {
			fmt.Fprintln(w, "no stacks yet: caddy hearth deploy template.yaml")
			return
		}
		table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		defer table.Flush() // to a buffer or a terminal
		fmt.Fprintln(table, "NAME\tSTATUS\tCHANGED\tDESCRIPTION")
		for _, s := range all {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", s.Name, s.Status, s.Changed, s.Description)
		}
	})
}

// deleteStack removes a stack with what it made.
func deleteStack(ctx context.Context, c *Context, name string) error {
	t, err := c.target()
	if err != nil {
		return err
	}
	d := &stackDeploy{Context: c, target: t, api: t.stacks(), name: name}
	s, err := describeStack(ctx, d.api, name)
	if err != nil {
		return err
	}
	if err := d.skipEvents(ctx); err != nil {
		return err
	}
	if _, err := d.api.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: s.StackId}); err != nil {
		return err
	}
	after, err := d.settled(ctx, aws.ToString(s.StackId))
	if err != nil {
		return err
	}
	if after.StackStatus != types.StackStatusDeleteComplete {
		return fmt.Errorf("stack %s is %s: %s", name, after.StackStatus, aws.ToString(after.StackStatusReason))
	}
	return c.print(map[string]string{"deleted": name}, func(w io.Writer) { fmt.Fprintf(w, "stack %s is deleted\n", c.Out.bold(name)) })
}
