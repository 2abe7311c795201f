// Package conformance says, operation by operation, how the Lambda API and the Logs API
// answer: status, kind of error, its words, and which fields are there. The rows are what
// AWS's documents say and what AWS was seen to answer, in values of our own. They run in
// their order against one server, by AWS's own SDK.
package conformance

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go"
)

// A row is one call and its answer. The name of the input's type says which operation it
// is.
type row struct {
	input  any
	status int
	kind   string // of the error; "" for none
	words  string // of the error's message, a part of it
	fields fields
}

// fields of the answer's JSON by their paths, e.g. Configuration.State: the JSON that is
// there, present or absent.
type fields map[string]string

const (
	present = "*"
	absent  = "-"
)

// operationOf is the name of the operation that an input is for.
func operationOf(input any) string {
	return strings.TrimSuffix(reflect.TypeOf(input).Elem().Name(), "Input")
}

// A wire is the HTTP client of the SDK, and keeps the last answer.
type wire struct {
	status int
	body   []byte
}

func (w *wire) Do(r *http.Request) (*http.Response, error) {
	r.Host = cmp.Or(r.Host, r.URL.Host)                    // is signed
	r.URL.Host = strings.TrimPrefix(r.URL.Host, "stream-") // that name, of operations that stream, leads nowhere here
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	w.status = answer.StatusCode
	if w.body, err = io.ReadAll(answer.Body); err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(w.body))
	return answer, nil
}

// call calls an operation of an SDK's client by its name.
func call(client any, input any) error {
	method := reflect.ValueOf(client).MethodByName(operationOf(input))
	if !method.IsValid() {
		return fmt.Errorf("the SDK has no operation %s", operationOf(input))
	}
	out := method.Call([]reflect.Value{reflect.ValueOf(context.Background()), reflect.ValueOf(input)})
	err, _ := out[len(out)-1].Interface().(error)
	return err
}

// run runs rows and reports what is otherwise.
func run(t *testing.T, client any, w *wire, rows []row) {
	t.Helper()
	for i, want := range rows {
		err := call(client, want.input)
		name := fmt.Sprintf("row %d, %s", i+1, operationOf(want.input))
		var kind, words string
		var refused smithy.APIError
		if errors.As(err, &refused) {
			kind, words = refused.ErrorCode(), refused.ErrorMessage()
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if w.status != want.status || kind != want.kind || !strings.Contains(words, want.words) {
			t.Errorf("%s: %d %s %q, want %d %s %q", name, w.status, kind, words, want.status, want.kind, want.words)
		}
		var body any
		if len(want.fields) > 0 {
			if err := json.Unmarshal(w.body, &body); err != nil {
				t.Errorf("%s: %q: %v", name, w.body, err)
			}
		}
		for path, value := range want.fields {
			if got := at(body, path); got != value && (value != present || got == absent) {
				t.Errorf("%s: %s is %s, want %s", name, path, got, value)
			}
		}
	}
}

// at is the JSON at a path, where a number is a place in a list.
func at(body any, path string) string {
	for _, step := range strings.Split(path, ".") {
		switch value := body.(type) {
		case map[string]any:
			inner, ok := value[step]
			if !ok {
				return absent
			}
			body = inner
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(value) {
				return absent
			}
			body = value[i]
		default:
			return absent
		}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// operations are those that an SDK's client has.
func operations(client any) (names []string) {
	of := reflect.TypeOf(client)
	for method := range of.Methods() {
		if method.Type.NumIn() == 4 && method.Type.In(2).Kind() == reflect.Pointer { // receiver, context, input, options
			names = append(names, method.Name)
		}
	}
	return names
}

// inputOf makes an input of an operation with a value for each member, so that the SDK
// sends it.
func inputOf(client any, operation string) any {
	method, _ := reflect.TypeOf(client).MethodByName(operation)
	input := reflect.New(method.Type.In(2).Elem())
	fill(input.Elem(), 0)
	return input.Interface()
}

func fill(v reflect.Value, depth int) {
	if !v.CanSet() || depth > 8 {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), depth+1)
		}
	case reflect.String:
		v.SetString("x")
	case reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Interface:
		if v.Type() == reflect.TypeFor[logtypes.ResourceConfig]() {
			one := new(logtypes.ResourceConfigMemberOpenSearchResourceConfig)
			fill(reflect.ValueOf(one).Elem(), depth+1)
			v.Set(reflect.ValueOf(one))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), depth+1)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	}
}

// refusedByName calls every operation that no row is about. Each says that it is not
// supported, with its name.
func refusedByName(t *testing.T, client any, w *wire, rows []row, kind string) {
	var told []string
	for _, r := range rows {
		told = append(told, operationOf(r.input))
	}
	names := operations(client)
	for _, name := range told {
		if !slices.Contains(names, name) {
			t.Errorf("there is a row about %s, which is no operation", name)
		}
	}
	for _, name := range names {
		if slices.Contains(told, name) {
			continue
		}
		err := call(client, inputOf(client, name))
		var refused smithy.APIError
		if errors.As(err, &refused) && refused.ErrorCode() == "UnknownOperationException" && strings.Contains(refused.ErrorMessage(), "is no operation of lambda that this server knows") {
			continue // the SDK is newer than the model
		}
		if !errors.As(err, &refused) || refused.ErrorCode() != kind || !strings.Contains(refused.ErrorMessage(), "operation "+name+" is not supported") {
			t.Errorf("%s: %v, want %s that names it, or a row", name, err, kind)
		}
	}
	if len(names) < 50 {
		t.Errorf("only %d operations were found", len(names))
	}
}

func TestEveryOperationOfLambdaAnswersAsAWS(t *testing.T) {
	s := start(t)
	w := new(wire)
	client := lambda.New(lambda.Options{Region: region, BaseEndpoint: &s.address, Credentials: s.keys, HTTPClient: w, RetryMaxAttempts: 1})
	rows := lambdaRows(t)
	run(t, client, w, rows)
	refusedByName(t, client, w, rows, "InvalidParameterValueException")
}

func TestEveryOperationOfLogsAnswersAsAWS(t *testing.T) {
	s := start(t)
	w := new(wire)
	client := cloudwatchlogs.New(cloudwatchlogs.Options{Region: region, BaseEndpoint: &s.address, Credentials: s.keys, HTTPClient: w, RetryMaxAttempts: 1})
	rows := logsRows()
	run(t, client, w, rows)
	refusedByName(t, client, w, rows, "UnknownOperationException")
}
