package cli

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

var listCommand = &Command{
	Use:   "list",
	Short: "List the functions",
	Long:  `Lists all functions: those that were deployed and, marked so, those of the Caddyfile.`,
	Run:   list,
}

// FunctionNames are the names of functions, for completion; none if they cannot be had in time.
func FunctionNames(ctx context.Context, c *Context) (names []string) {
	api, err := c.api()
	if err != nil {
		return nil
	}
	pages := lambda.NewListFunctionsPaginator(api, &lambda.ListFunctionsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return names
		}
		for _, f := range page.Functions {
			names = append(names, aws.ToString(f.FunctionName))
		}
	}
	return names
}

// A listed is a function as --json lists it.
type listed struct {
	Name         string `json:"name"`
	Runtime      string `json:"runtime"`
	Handler      string `json:"handler"`
	Memory       int32  `json:"memory"`
	Timeout      int32  `json:"timeout"`
	CodeSize     int64  `json:"code_size"`
	LastModified string `json:"last_modified"`
	Description  string `json:"description,omitempty"`
	Caddyfile    bool   `json:"caddyfile,omitempty"` // it is changed there
}

func list(ctx context.Context, c *Context) error {
	api, err := c.api()
	if err != nil {
		return err
	}
	all := []listed{}
	pages := lambda.NewListFunctionsPaginator(api, &lambda.ListFunctionsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, f := range page.Functions {
			all = append(all, listed{
				Name: aws.ToString(f.FunctionName), Runtime: string(f.Runtime), Handler: aws.ToString(f.Handler), Memory: aws.ToInt32(f.MemorySize),
				Timeout: aws.ToInt32(f.Timeout), CodeSize: f.CodeSize, LastModified: aws.ToString(f.LastModified),
				Description: aws.ToString(f.Description), Caddyfile: aws.ToString(f.CodeSha256) == "",
			})
		}
	}
	return c.print(all, func(w io.Writer) {
		if len(all) == 0 {
			fmt.Fprintln(w, "no functions yet: caddy hearth deploy DIR")
			return
		}
		table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		defer table.Flush() // to a buffer or a terminal
		fmt.Fprintln(table, "NAME\tRUNTIME\tHANDLER\tMEMORY\tTIMEOUT\tMODIFIED")
		for _, f := range all {
			modified := f.LastModified
			if f.Caddyfile {
				modified = "in the Caddyfile"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%d MB\t%d s\t%s\n", f.Name, f.Runtime, f.Handler, f.Memory, f.Timeout, modified)
		}
	})
}
