package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/spf13/pflag"
)

// Exit codes of the commands.
const (
	ExitOK       = 0
	ExitFailed   = 1 // the server or the machine refused
	ExitUsage    = 2 // wrong arguments
	ExitFunction = 3 // the function answered with an error
	ExitMissing  = 4 // there is no such function
)

// A Command is one of `caddy hearth`.
type Command struct {
	Use, Short, Long string
	Args             int // the least number of arguments
	MaxArgs          int
	Flags            func(*pflag.FlagSet)
	Run              func(ctx context.Context, c *Context) error
	// Names says that the first argument is the name of a function, for completion.
	Names bool
	// Words are the arguments that may follow those there are, for completion; nil: see Names.
	Words func(before []string) []string
}

// Commands are all there are.
func Commands() []*Command {
	return []*Command{
		devCommand, deployCommand, stacksCommand, invokeCommand, eventCommand, logsCommand, listCommand, showCommand, urlCommand, sourcesCommand, rollbackCommand, deleteCommand,
		eventsCommand, schedulesCommand, nodesCommand, drainCommand, runtimesCommand, doctorCommand, envCommand, versionCommand,
	}
}

// A Context is the input and output of a command.
type Context struct {
	Flags    *pflag.FlagSet
	Out, Err Stream
	In       io.Reader
	DataDir  string // where the server of this machine keeps credentials and endpoint
	RootCA   string // the certificate of Caddy's own authority, if it has one
	// Admin asks the admin endpoint at an address. An answer that is an error is one.
	Admin func(address, method, uri string) (*http.Response, error)
	// Server is the command that this program is, and its arguments that make it serve a
	// configuration file of Caddy's in JSON.
	Server func(config string) (program string, arguments []string, err error)
	// Versions are the lines of the version command.
	Versions []string
	// Getenv is os.Getenv.
	Getenv func(string) string
}

// CommonFlags are those of every command.
func CommonFlags(flags *pflag.FlagSet) {
	flags.Bool("json", false, "Print JSON")
	flags.Bool("raw", false, "Print control characters as they are on a terminal too, as to a file or a pipe")
	flags.String("endpoint", "", "The address of the server's Lambda API (default: $AWS_ENDPOINT_URL_LAMBDA, $AWS_ENDPOINT_URL, or that of the server on this machine)")
	flags.String("data-dir", "", "The data directory of the server on this machine (default: $HEARTH_DATA_DIR, or the server's default)")
	flags.Bool("insecure", false, "Do not check the server's certificate")
}

// A usageError is the caller's.
type usageError struct{ error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// A functionError is a function's answer that is an error instead of a result.
type functionError struct{ kind string }

func (e functionError) Error() string {
	if strings.Contains(e.kind, "\n") {
		return e.kind
	}
	return "the function failed: " + e.kind
}

// ExitCode is the process's exit code after err.
func ExitCode(err error) int {
	var missing *types.ResourceNotFoundException
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, new(usageError)):
		return ExitUsage
	case errors.As(err, new(functionError)):
		return ExitFunction
	case errors.As(err, &missing), errors.As(err, new(missingError)):
		return ExitMissing
	}
	return ExitFailed
}

// Explain makes an error of the client one that a person can act on.
func Explain(err error) error {
	var refused smithy.APIError
	var answer *smithyhttp.ResponseError
	if down := explainDown(err); down != nil {
		return down
	}
	switch {
	case errors.As(err, &refused) && (refused.ErrorCode() == "UnrecognizedClientException" || refused.ErrorCode() == "InvalidSignatureException"):
		return fmt.Errorf("%s: %s (the key is that of AWS_ACCESS_KEY_ID where --endpoint or AWS_ENDPOINT_URL names the server, and else the server's own)", refused.ErrorCode(), refused.ErrorMessage())
	case errors.As(err, &refused):
		return fmt.Errorf("%s: %s", refused.ErrorCode(), refused.ErrorMessage())
	case errors.As(err, &answer) && answer.HTTPStatusCode() == http.StatusServiceUnavailable && strings.Contains(answer.Response.Request.URL.Host, adminHost):
		return errors.New("the server on this machine does not serve yet, or its nodes share a Redis and no site has lambda_api")
	case errors.As(err, &answer) && answer.HTTPStatusCode() == http.StatusNotFound:
		return errors.New("the server has no Lambda API at this address: is there lambda_api in its site?")
	}
	return err
}

func (c *Context) json() bool {
	on, _ := c.Flags.GetBool("json")
	return on
}

func (c *Context) text(name string) string {
	value, _ := c.Flags.GetString(name)
	return value
}

func (c *Context) is(name string) bool {
	on, _ := c.Flags.GetBool(name)
	return on
}

// plural is a number of things.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// say tells a person what the command is doing.
func (c *Context) say(format string, args ...any) {
	if !c.json() {
		fmt.Fprintf(c.Err, format+"\n", args...)
	}
}

// print writes the result of the command: value as JSON with --json, else text.
func (c *Context) print(value any, text func(w io.Writer)) error {
	if !c.json() {
		text(c.Out)
		return nil
	}
	encoder := json.NewEncoder(c.Out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}
