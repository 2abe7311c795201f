package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/spf13/pflag"
)

var deleteCommand = &Command{
	Use:   "delete NAME...",
	Short: "Delete functions with their versions, aliases and URLs, or a stack",
	Long: `Deletes functions. Their logs stay until their retention is over. With --stack, deletes a
stack and what it made, and waits until that is done.`,
	MaxArgs: 1000, Names: true,
	Flags: func(f *pflag.FlagSet) { f.String("stack", "", "Name of the stack to delete") },
	Run: func(ctx context.Context, c *Context) error {
		switch name := c.text("stack"); {
		case name != "" && c.Flags.NArg() > 0:
			return usage("delete takes names of functions, or --stack NAME")
		case name != "":
			return deleteStack(ctx, c, name)
		case c.Flags.NArg() == 0:
			return usage("delete takes names of functions, or --stack NAME")
		}
		api, err := c.api()
		if err != nil {
			return err
		}
		for _, name := range c.Flags.Args() {
			if _, err := api.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &name}); err != nil {
				return err
			}
			if err := c.print(map[string]string{"deleted": name}, func(w io.Writer) { fmt.Fprintf(w, "%s is deleted\n", c.Out.bold(name)) }); err != nil {
				return err
			}
		}
		return nil
	},
}
