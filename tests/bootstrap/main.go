// Command bootstrap is a function in Go with AWS's own runtime client: a real
// custom runtime for the tests. Its event says what to do.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

func handle(ctx context.Context, request events.APIGatewayV2HTTPRequest) (any, error) {
	answer := func(format string, args ...any) (any, error) {
		return events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: fmt.Sprintf(format, args...)}, nil
	}
	switch request.RawPath[strings.LastIndex(request.RawPath, "/")+1:] {
	case "context":
		lc, _ := lambdacontext.FromContext(ctx)
		deadline, _ := ctx.Deadline()
		left := time.Until(deadline)
		return answer("%s %s %t %t %s %s", lc.InvokedFunctionArn, lambdacontext.FunctionName, len(lc.AwsRequestID) == 36,
			left > time.Second && left < 11*time.Second, os.Getenv("_HANDLER"), os.Getenv("OWN"))
	case "fail":
		return nil, errors.New("asked to fail")
	case "panic":
		panic("asked to panic")
	case "exit":
		os.Exit(3)
	case "sleep":
		time.Sleep(time.Minute)
	case "large":
		return answer("%s", strings.Repeat("x", 7<<20))
	case "print":
		fmt.Println("printed by the function")
	case "stream":
		r, w := io.Pipe()
		go func() {
			for i := range 3 {
				fmt.Fprintf(w, "part %d\n", i)
				time.Sleep(50 * time.Millisecond)
			}
			w.Close()
		}()
		return &events.LambdaFunctionURLStreamingResponse{StatusCode: 201, Headers: map[string]string{"Content-Type": "text/plain"}, Body: r}, nil
	case "listen": // where this environment's endpoint is
		return answer("%s", os.Getenv("AWS_LAMBDA_RUNTIME_API"))
	}
	return answer("hello from Go")
}

func main() {
	if os.Getenv("SIGTERM") == "" {
		lambda.Start(handle)
	}
	// It registers an internal extension, without which there is no SIGTERM.
	lambda.StartWithOptions(handle, lambda.WithEnableSIGTERM(func() { fmt.Println("told to end") }))
}
