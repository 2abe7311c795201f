package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/spf13/pflag"
)

var invokeCommand = &Command{
	Use:   "invoke NAME [PAYLOAD]",
	Short: "Run a function with an event and print what it returns",
	Long: `Runs a function. PAYLOAD is JSON, @FILE, or - for standard input; without it the
event is {}. NAME may have a qualifier: NAME:VERSION or NAME:ALIAS.

Exit code 3 says that the function itself failed, 4 that there is none.`,
	Args: 1, MaxArgs: 2, Names: true,
	Flags: func(f *pflag.FlagSet) {
		f.Bool("async", false, "Only hand the event over (invocation type Event)")
		f.Bool("tail", false, "Print the end of the invocation's log to standard error")
	},
	Run: invoke,
}

// An invoked is the output of invoke with --json.
type invoked struct {
	Status        int32           `json:"status"`
	Version       string          `json:"version,omitempty"`
	FunctionError string          `json:"function_error,omitempty"`
	Payload       json.RawMessage `json:"payload,omitempty"`
	Log           string          `json:"log,omitempty"`
	RequestID     string          `json:"request_id,omitempty"`
}

func invoke(ctx context.Context, c *Context) error {
	payload, err := c.payload()
	if err != nil {
		return err
	}
	api, err := c.api()
	if err != nil {
		return err
	}
	in := &lambda.InvokeInput{FunctionName: aws.String(c.Flags.Arg(0)), Payload: payload}
	if c.is("async") {
		in.InvocationType = types.InvocationTypeEvent
	} else if c.is("tail") || c.json() {
		in.LogType = types.LogTypeTail
	}
	out, err := api.Invoke(ctx, in)
	if err != nil {
		return err
	}
	result := invoked{Status: out.StatusCode, Version: aws.ToString(out.ExecutedVersion), FunctionError: aws.ToString(out.FunctionError), Payload: out.Payload}
	result.RequestID, _ = awsmiddleware.GetRequestIDMetadata(out.ResultMetadata)
	if log, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult)); err == nil {
		result.Log = string(log)
	}
	err = c.print(result, func(w io.Writer) {
		if c.is("async") {
			fmt.Fprintf(w, "accepted: request ID %s\n", result.RequestID)
		}
		if c.is("tail") {
			fmt.Fprint(c.Err, c.Err.dim(result.Log))
		}
		if len(out.Payload) > 0 {
			_, _ = w.Write(append(bytes.TrimRight(out.Payload, "\n"), '\n'))
		}
	})
	if err == nil && result.FunctionError != "" {
		err = functionError{result.FunctionError}
	}
	return err
}

// maxPayload is Lambda's limit of an event, in bytes.
const maxPayload = 6 << 20

func (c *Context) payload() ([]byte, error) {
	text := c.Flags.Arg(1)
	var data []byte
	var err error
	switch file, isFile := strings.CutPrefix(text, "@"); {
	case text == "-":
		data, err = io.ReadAll(io.LimitReader(c.In, maxPayload+1))
	case isFile:
		data, err = os.ReadFile(file)
	default:
		data = []byte(text)
	}
	if err == nil && len(data) > 0 && !json.Valid(data) {
		err = usage("the payload is not JSON: quote text, as in '\"hello\"'")
	}
	return data, err
}
