package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// headerInit asks for the init phase with a dry run, of a server that is Hearth. AWS ignores it.
const headerInit = "X-Hearth-Init"

// tryInit has the function's init phase run, and returns its error with the trace. Files of
// /var/task are named as they are in the folder.
func (d *deployment) tryInit(ctx context.Context) error {
	in := &lambda.InvokeInput{FunctionName: &d.wanted.Name, InvocationType: types.InvocationTypeDryRun}
	out, err := d.api.Invoke(ctx, in, func(o *lambda.Options) {
		o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue(headerInit, "1"))
	})
	if err != nil {
		return fmt.Errorf("%s is deployed, and its init phase could not be tried: %w", d.wanted.Name, Explain(err))
	}
	if aws.ToString(out.FunctionError) == "" {
		return nil
	}
	return functionError{fmt.Sprintf("%s is deployed, but its code does not start:\n%s", d.wanted.Name, d.explainInit(out.Payload))}
}

func (d *deployment) explainInit(payload []byte) string {
	var failed struct {
		ErrorType    string
		ErrorMessage string
		Trace        []string // of Node.js
		StackTrace   []any    // of Python, Java and Ruby
	}
	if json.Unmarshal(payload, &failed) != nil || failed.ErrorMessage == "" {
		return string(payload)
	}
	lines := []string{failed.ErrorType + ": " + failed.ErrorMessage}
	for n, line := range failed.Trace {
		if n > 0 || line != lines[0] {
			lines = append(lines, line)
		}
	}
	for _, line := range failed.StackTrace {
		lines = append(lines, fmt.Sprint(line))
	}
	const most = 40
	if len(lines) > most {
		lines = lines[:most]
	}
	text := strings.TrimRight(strings.Join(lines, "\n"), "\n")
	folder := strings.TrimSuffix(d.source, "/")
	return strings.NewReplacer("file:///var/task/", folder+"/", "/var/task/", folder+"/").Replace(text)
}
