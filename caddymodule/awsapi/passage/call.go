package passage

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/awsapi/access"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/function"
)

// A call is a request as it was read.
type call struct {
	service, operation string
	target             string         // of the JSON protocol; "": the query protocol
	object             map[string]any // of the JSON protocol
	form               url.Values     // of the query protocol
	opaque             bool           // the body is passed on as it is
	body               []byte
	account            string // in the address of a queue, "" if there is none
}

// targets are what X-Amz-Target has before the dot, by service.
var targets = map[string][]string{
	"sqs": {"AmazonSQS"}, "dynamodb": {"DynamoDB_20120810", "DynamoDBStreams_20120810"}, "kinesis": {"Kinesis_20131202"},
}

func invalid(message string) error {
	return refusal{"ValidationException", message, http.StatusBadRequest}
}

// readCall reads a request.
func readCall(r *http.Request, service string, body []byte) (*call, error) {
	c := &call{service: service, body: body}
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		prefix, operation, _ := strings.Cut(target, ".")
		known := false
		for _, one := range targets[service] {
			known = known || one == prefix
		}
		if !known || operation == "" {
			return nil, refusal{"UnknownOperationException", "The target is no operation of " + service + ".", http.StatusBadRequest}
		}
		c.target, c.operation = target, operation
		if operation == "SubscribeToShard" {
			return nil, refusal{"UnknownOperationException", "SubscribeToShard is not supported: a call is answered once here. Use GetRecords.", http.StatusBadRequest}
		}
		if strings.Contains(r.Header.Get("Content-Type"), "cbor") {
			c.opaque = true
			return c, nil
		}
		var err error
		if c.object, err = readObject(body); err != nil {
			return nil, err
		}
	} else if err := c.readForm(r, body); err != nil {
		return nil, err
	}
	return c, c.locate(r)
}

// queuePath is the path of the address of a queue. Nothing else is passed on: the service could read
// another queue's name in it than policies were asked for.
var queuePath = regexp.MustCompile(`^(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+$`)

// readObject reads a JSON object, with its numbers as they are.
func readObject(body []byte) (object map[string]any, err error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err = d.Decode(&object); err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is more after its end")
		}
	}
	if err != nil || object == nil {
		return nil, refusal{"SerializationException", "The request body is no JSON object.", http.StatusBadRequest}
	}
	return object, nil
}

// readForm reads a request of the query protocol. A parameter that is there twice is refused.
func (c *call) readForm(r *http.Request, body []byte) (err error) {
	if c.service != "sqs" && c.service != "sns" {
		return refusal{"UnknownOperationException", "The request has no X-Amz-Target.", http.StatusBadRequest}
	}
	text := string(body)
	if r.Method == http.MethodGet {
		text = r.URL.RawQuery
	}
	if c.form, err = url.ParseQuery(text); err != nil {
		return invalid("The request is no form.")
	}
	for name, values := range c.form {
		if len(values) > 1 {
			return invalid("The parameter " + name + " is there twice.")
		}
		if strings.HasPrefix(name, "X-Amz-") {
			delete(c.form, name)
		}
	}
	if c.operation = c.form.Get("Action"); c.operation == "" {
		return refusal{"MissingAction", "The request is missing an Action", http.StatusBadRequest}
	}
	return nil
}

// locate finds the queue of a call, which the path or a member names. Other calls have no path.
func (c *call) locate(r *http.Request) error {
	path := r.URL.Path
	if path == "" || path == "/" {
		path = ""
	}
	if c.service != "sqs" {
		if path != "" {
			return invalid("Calls of " + c.service + " have the path /.")
		}
		return nil
	}
	named, _ := c.object["QueueUrl"].(string)
	if c.form != nil {
		named = c.form.Get("QueueUrl")
	}
	if named == "" && path == "" {
		return nil
	}
	at := path
	if named != "" {
		u, err := url.Parse(named)
		if err != nil {
			return invalid("QueueUrl is no address.")
		}
		if at = u.Path; path != "" && path != at {
			return invalid("The path names another queue than QueueUrl.")
		}
	}
	if !queuePath.MatchString(at) {
		return invalid("QueueUrl is no address of a queue.")
	}
	parts := strings.Split(strings.Trim(at, "/"), "/")
	if len(parts) > 1 {
		c.account = parts[len(parts)-2]
	}
	if c.form != nil {
		c.form.Set("QueueUrl", at)
	} else {
		c.object["QueueUrl"] = at
	}
	return nil
}

// encode writes the body that is passed on. The address of a queue is that of the service.
func (c *call) encode(endpoint *url.URL) []byte {
	origin := endpoint.Scheme + "://" + endpoint.Host
	switch {
	case c.opaque:
		return c.body
	case c.form != nil:
		if at := c.form.Get("QueueUrl"); c.service == "sqs" && at != "" {
			c.form.Set("QueueUrl", origin+at)
		}
		return []byte(c.form.Encode())
	}
	if at, _ := c.object["QueueUrl"].(string); c.service == "sqs" && at != "" {
		c.object["QueueUrl"] = origin + at
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(c.object); err != nil {
		panic(err) // it was JSON
	}
	return bytes.TrimRight(out.Bytes(), "\n")
}

// queueAddress is where the address of a queue stands in XML.
var queueAddress = regexp.MustCompile(`<QueueUrl>\s*https?://[^/<]*`)

// ownAddresses has the addresses of queues in an answer lead here.
func (c *call) ownAddresses(text []byte, r *http.Request) []byte {
	origin := "http://" + r.Host
	if r.TLS != nil {
		origin = "https://" + r.Host
	}
	if c.form != nil {
		return queueAddress.ReplaceAllLiteral(text, []byte("<QueueUrl>"+xmlText(origin)))
	}
	object, err := readObject(text)
	if err != nil {
		return text
	}
	own := func(v any) any {
		address, _ := v.(string)
		if u, err := url.Parse(address); err == nil && u.Host != "" {
			return origin + u.EscapedPath()
		}
		return v
	}
	for name, value := range object {
		switch list, isList := value.([]any); {
		case name == "QueueUrl":
			object[name] = own(value)
		case strings.EqualFold(name, "queueUrls") && isList:
			for n := range list {
				list[n] = own(list[n])
			}
		}
	}
	return (&call{object: object}).encode(new(url.URL))
}

func xmlText(text string) string {
	var out bytes.Buffer
	_ = xml.EscapeText(&out, []byte(text)) // a buffer takes all
	return out.String()
}

// A refusal is an error that the client is told.
type refusal struct {
	code, message string
	status        int
}

func (x refusal) Error() string { return x.code + ": " + x.message }

// exceptionOf is the one table of what a client is told; nil for an error of the server.
func exceptionOf(err error) *refusal {
	var known refusal
	var unsigned *sigv4.Error
	var denied *access.Denied
	switch {
	case errors.As(err, &known):
		return &known
	case errors.As(err, &denied):
		return &refusal{"AccessDeniedException", denied.Message, http.StatusForbidden}
	case errors.As(err, &unsigned):
		return &refusal{unsigned.Code, unsigned.Message, unsigned.Status}
	case errors.Is(err, bodies.ErrFull):
		return &refusal{"ThrottlingException", "Too Many Requests", http.StatusServiceUnavailable}
	case errors.Is(err, bodies.ErrTooLarge):
		return &refusal{"RequestEntityTooLargeException", "The request body is larger than this server takes.", http.StatusRequestEntityTooLarge}
	case errors.Is(err, bodies.ErrSlow):
		return &refusal{"RequestTimeoutException", "The request body came too slowly.", http.StatusBadRequest}
	}
	return nil
}

// write answers in the protocol of the request.
func (x *refusal) write(w http.ResponseWriter, r *http.Request) {
	id := function.NewRequestID()
	header := w.Header()
	header.Set("X-Amzn-Requestid", id)
	header.Set("X-Amzn-Errortype", x.code)
	if r.Header.Get("X-Amz-Target") != "" {
		body, err := json.Marshal(map[string]string{"__type": x.code, "message": x.message})
		if err != nil {
			panic(err) // strings always encode
		}
		header.Set("Content-Type", "application/x-amz-json-1.0")
		bodies.Refuse(w, r, x.status, body)
		return
	}
	kind := "Sender"
	if x.status >= http.StatusInternalServerError {
		kind = "Receiver"
	}
	body, err := xml.Marshal(struct {
		XMLName   xml.Name `xml:"ErrorResponse"`
		Type      string   `xml:"Error>Type"`
		Code      string   `xml:"Error>Code"`
		Message   string   `xml:"Error>Message"`
		RequestID string   `xml:"RequestId"`
	}{Type: kind, Code: strings.TrimSuffix(x.code, "Exception"), Message: x.message, RequestID: id})
	if err != nil {
		panic(err) // strings always encode
	}
	header.Set("Content-Type", "text/xml")
	bodies.Refuse(w, r, x.status, body)
}
