// Command hello-go is the smallest useful Lambda function in Go, with AWS's own
// library. Built as "bootstrap", it is a custom runtime.
package main

import (
	"context"
	"encoding/json"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func handle(_ context.Context, request events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	name := request.QueryStringParameters["name"]
	if name == "" {
		name = "world"
	}
	body, err := json.Marshal(map[string]string{"message": "Hello, " + name + "!"})
	return events.APIGatewayV2HTTPResponse{
		StatusCode: 200,
		Headers:    map[string]string{"content-type": "application/json"},
		Body:       string(body),
	}, err
}

func main() { lambda.Start(handle) }
