package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

var deleteCommand = &Command{
	Use:   "delete NAME...",
	Short: "Delete functions with their versions, aliases and URLs",
	Long:  `Deletes functions. Their logs stay until their retention is over.`,
	Args:  1, MaxArgs: 1000, Names: true,
	Run: func(ctx context.Context, c *Context) error {
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
