package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

var deleteCommand = &Command{
	Use:   "delete NAME",
	Short: "Delete a function with its versions, aliases and URLs",
	Long:  `Deletes a function. Its log stays until its retention is over.`,
	Args:  1, MaxArgs: 1,
	Run: func(ctx context.Context, c *Context) error {
		api, err := c.api()
		if err != nil {
			return err
		}
		name := c.Flags.Arg(0)
		if _, err := api.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &name}); err != nil {
			return err
		}
		return c.print(map[string]string{"deleted": name}, func(w io.Writer) { fmt.Fprintf(w, "%s is deleted\n", c.Out.bold(name)) })
	},
}
