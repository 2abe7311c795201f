package awsapi

import (
	"errors"
	"net/http"
	"reflect"

	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
)

var errProbe = errors.New("only the type of the input was asked for")

// Input is the type of the struct that an operation reads its members into, for tests that compare
// it with the model. nil: it reads none.
func (o Operation) Input() (t reflect.Type) {
	_, _ = o(&Request{Request: new(http.Request), Key: new(sigv4.Key), probe: &t}) // errProbe, or an answer to nothing
	return t
}
