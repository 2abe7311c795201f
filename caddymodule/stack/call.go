package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
)

// Services answer the calls that resources are made by.
type Services struct {
	// Serve answers a request as if a client had sent it, and reports whether a service has.
	Serve func(w http.ResponseWriter, r *http.Request) bool
	// Open reads an object of the bucket that has the uploads, if by may read it.
	Open func(ctx context.Context, by *sigv4.Key, bucket, key, version string) ([]byte, error)
	// Role finds a role by its ARN: nil if it is not here. trusts says whether it lets this service
	// act as it.
	Role func(ctx context.Context, arn string) (role *Role, trusts bool, err error)
	// Passed are the services that calls are passed on to.
	Passed []string
	// Notifies is set if functions may run for events of buckets.
	Notifies bool
	// Models are those of the services, by the name that resource types have for them.
	Models map[string]*model.Model
}

// A CallError is a refusal of a service.
type CallError struct {
	Service, Operation string
	Code, Message      string
	Status             int // HTTP
	RequestID          string
}

// Error is as AWS's events have it.
func (e *CallError) Error() string {
	return fmt.Sprintf("Resource handler returned message: %q (RequestToken: %s, HandlerErrorCode: %s)",
		fmt.Sprintf("%s (Service: %s, Status Code: %d, Request ID: %s)", e.Message, e.Service, e.Status, e.RequestID), e.RequestID, e.handlerCode())
}

// https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract-errors.html
func (e *CallError) handlerCode() string {
	switch {
	case isNotFound(e):
		return "NotFound"
	case isExisting(e):
		return "AlreadyExists"
	case e.Status == http.StatusForbidden:
		return "AccessDenied"
	case e.Status == http.StatusTooManyRequests:
		return "Throttling"
	case e.Status >= http.StatusInternalServerError:
		return "ServiceInternalError"
	case strings.Contains(e.Code, "Limit"):
		return "ServiceLimitExceeded"
	}
	return "InvalidRequest"
}

// isNotFound reports whether a call failed because what it is about is not there.
func isNotFound(err error) bool {
	var x *CallError
	if !errors.As(err, &x) {
		return false
	}
	return x.Status == http.StatusNotFound || strings.Contains(x.Code, "NotFound") || strings.HasPrefix(x.Code, "NoSuch") || x.Code == "ObjectNotFoundException"
}

func isExisting(err error) bool {
	var x *CallError
	if !errors.As(err, &x) {
		return false
	}
	return strings.Contains(x.Code, "AlreadyExist") || x.Code == "ResourceConflictException" || x.Status == http.StatusConflict
}

// serviceNames are the names of services in messages.
var serviceNames = map[string]string{
	"lambda": "Lambda", "iam": "Iam", "logs": "CloudWatchLogs", "ssm": "Ssm", "apigatewayv2": "ApiGatewayV2", "apigateway": "ApiGateway",
	"application-autoscaling": "ApplicationAutoScaling", "s3": "S3", "events": "EventBridge", "cloudwatch": "CloudWatch", "scheduler": "Scheduler",
	"sqs": "Sqs", "sns": "Sns", "dynamodb": "DynamoDb", "kinesis": "Kinesis",
}

// targets are the services of the JSON protocol that have no model here.
var targets = map[string]string{
	"logs": "Logs_20140328.", "application-autoscaling": "AnyScaleFrontendService.",
	"sqs": "AmazonSQS.", "dynamodb": "DynamoDB_20120810.", "kinesis": "Kinesis_20131202.",
}

// oldJSON are those of them that speak version 1.0.
var oldJSON = []string{"sqs", "dynamodb"}

// An answer is what a service has answered. It is a http.ResponseWriter.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 32 << 20

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(data []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.body.Len()+len(data) > maxAnswer {
		return 0, errors.New("the answer is too large")
	}
	return a.body.Write(data)
}

// A caller calls services as somebody.
type caller struct {
	services Services
	key      *sigv4.Key
	region   string
	host     string // of this server: addresses in answers have it
}

// call calls an operation.
func (c *caller) call(ctx context.Context, service, operation string, input map[string]any) (map[string]any, error) {
	var e *model.Encoding
	if prefix := targets[service]; prefix != "" {
		body, err := json.Marshal(input)
		if err != nil {
			return nil, err
		}
		version := "1"
		if slices.Contains(oldJSON, service) {
			version = "0"
		}
		e = &model.Encoding{Method: http.MethodPost, URL: &url.URL{Path: "/"}, Body: body, Header: http.Header{
			"Content-Type": {"application/x-amz-json-1." + version}, "X-Amz-Target": {prefix + operation},
		}}
	} else {
		m := c.services.Models[service]
		if m == nil {
			return nil, fmt.Errorf("this server has no service %s", service)
		}
		var err error
		if e, err = m.Encode(operation, input); err != nil {
			return nil, err
		}
	}
	a, err := c.send(ctx, scopeOf(service), e)
	if err != nil {
		return nil, err
	}
	if a.status >= http.StatusMultipleChoices {
		return nil, a.refusal(service, operation)
	}
	return a.output()
}

// scopeOf is the name of a service in the scope of signatures.
func scopeOf(service string) string {
	if service == "apigatewayv2" {
		return "apigateway"
	}
	return service
}

// send has a request answered in this process.
func (c *caller) send(ctx context.Context, scope string, e *model.Encoding) (*answer, error) {
	r := (&http.Request{
		Method: e.Method, URL: e.URL, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: e.Header, Host: c.host,
		Body: io.NopCloser(bytes.NewReader(e.Body)), ContentLength: int64(len(e.Body)), RequestURI: e.URL.RequestURI(), RemoteAddr: "127.0.0.1:0",
	}).WithContext(sigv4.Insider(ctx, c.key))
	// It says which service the request is for. The context says who asks.
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+c.key.ID+"/"+time.Now().UTC().Format("20060102")+"/"+c.region+"/"+scope+"/aws4_request, SignedHeaders=host, Signature=")
	a := &answer{header: make(http.Header)}
	if !c.services.Serve(a, r) {
		return nil, fmt.Errorf("this server does not serve %s", scope)
	}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a, ctx.Err()
}

func (a *answer) refusal(service, operation string) *CallError {
	e := &CallError{Service: serviceNames[service], Operation: operation, Status: a.status, RequestID: a.header.Get("X-Amzn-Requestid"), Code: a.header.Get("X-Amzn-Errortype")}
	if e.RequestID == "" {
		e.RequestID = a.header.Get("X-Amz-Request-Id")
	}
	if bytes.HasPrefix(bytes.TrimSpace(a.body.Bytes()), []byte("<")) {
		var body struct {
			Code    string
			Message string
			Error   struct{ Code, Message string }
		}
		if xml.Unmarshal(a.body.Bytes(), &body) == nil {
			e.Code, e.Message = body.Code+body.Error.Code, body.Message+body.Error.Message
		}
		return e
	}
	var body map[string]any
	if json.Unmarshal(a.body.Bytes(), &body) == nil {
		for _, name := range []string{"message", "Message"} {
			if text, ok := body[name].(string); ok && e.Message == "" {
				e.Message = text
			}
		}
		if kind, ok := body["__type"].(string); ok {
			e.Code = kind
		}
	}
	if e.Message == "" {
		e.Message = e.Code
	}
	return e
}

// output reads an answer of JSON or XML.
func (a *answer) output() (map[string]any, error) {
	data := bytes.TrimSpace(a.body.Bytes())
	if len(data) == 0 {
		return nil, nil
	}
	if data[0] == '<' {
		return readXML(data)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var out map[string]any
	err := decoder.Decode(&out)
	return out, err
}

// readXML reads an answer of the query protocol: what is inside of its Result.
func readXML(data []byte) (map[string]any, error) {
	decoder := xml.NewDecoder(bytes.NewReader(data))
	for {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		if start, ok := token.(xml.StartElement); ok {
			value, err := readElement(decoder, start)
			if err != nil {
				return nil, err
			}
			out, _ := value.(map[string]any)
			for name, inner := range out {
				if result, ok := inner.(map[string]any); ok && strings.HasSuffix(name, "Result") {
					return result, nil
				}
			}
			return out, nil
		}
	}
}

func readElement(decoder *xml.Decoder, start xml.StartElement) (any, error) {
	var text strings.Builder
	var inside map[string]any
	var members []any
	for {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.StartElement:
			value, err := readElement(decoder, t)
			if err != nil {
				return nil, err
			}
			if t.Name.Local == "member" {
				members = append(members, value)
				continue
			}
			if inside == nil {
				inside = make(map[string]any)
			}
			inside[t.Name.Local] = value
		case xml.EndElement:
			switch {
			case members != nil:
				return members, nil
			case inside != nil:
				return inside, nil
			}
			return text.String(), nil
		}
	}
}

// value finds a value in an output by its path, Role.Arn. The first letter of a name may be a
// capital or not.
func value(out map[string]any, path string) any {
	var at any = out
	for _, name := range strings.Split(path, ".") {
		inside, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		if at, ok = inside[name]; !ok {
			at = inside[strings.ToLower(name[:1])+name[1:]]
		}
	}
	if number, ok := at.(json.Number); ok {
		return number.String()
	}
	return at
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	return fmt.Sprint(v)
}
