package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/code"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// An Exception is an error under AWS's name for it.
type Exception struct {
	Name    string // e.g. ResourceNotFoundException
	Message string
	Reason  string // of a TooManyRequestsException
	status  int    // if the model does not know
	untyped bool   // AWS gives this one without a Type
}

func (e *Exception) Error() string { return e.Name + ": " + e.Message }

func exception(name, message string) error { return &Exception{Name: name, Message: message} }

// invalid is AWS's error for a value that the service model allows.
func invalid(message string) error { return exception("InvalidParameterValueException", message) }

// untyped is invalid for the answers that AWS gives without a Type.
func untyped(message string) error {
	return &Exception{Name: "InvalidParameterValueException", Message: message, untyped: true}
}

// common are the statuses of errors that all services have and the model of Lambda
// does not name. All others have status 400.
var common = map[string]int{
	"AccessDeniedException":          http.StatusForbidden,
	"RequestEntityTooLargeException": http.StatusRequestEntityTooLarge,
}

// preconditionText is what AWS says where the registry only names the thing.
const preconditionText = "The Revision Id provided does not match the latest Revision Id. Call the %s API to retrieve the latest Revision Id"

// missing gives ErrNotFound AWS's text; other errors stay.
func missing(err error, text string) error {
	if errors.Is(err, registry.ErrNotFound) {
		return exception("ResourceNotFoundException", text)
	}
	return err
}

// outdated tells the client where to get the latest revision ID.
func outdated(err error, api string) error {
	if errors.Is(err, registry.ErrPrecondition) {
		return exception("PreconditionFailedException", strings.Replace(preconditionText, "%s", api, 1))
	}
	return err
}

// exceptionOf is the one table of what a client of the API is told.
func (a *API) exceptionOf(err error) *Exception {
	var known *Exception
	var unsigned *sigv4.Error
	var violated *model.ValidationError
	var format *model.FormatError
	var throttled *warmpool.ThrottledError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &unsigned):
		return &Exception{Name: unsigned.Code, Message: unsigned.Message, status: unsigned.Status}
	case errors.As(err, &violated):
		return &Exception{Name: "ValidationException", Message: violated.Error()}
	case errors.As(err, &format):
		return &Exception{Name: "SerializationException", Message: format.Message}
	case errors.As(err, &throttled):
		return &Exception{Name: "TooManyRequestsException", Message: "Rate Exceeded.", Reason: throttled.Reason}
	case errors.Is(err, bodies.ErrFull):
		return &Exception{Name: "TooManyRequestsException", Message: "Rate Exceeded.", Reason: "CallerRateLimitExceeded"}
	case errors.Is(err, registry.ErrNotFound):
		return &Exception{Name: "ResourceNotFoundException", Message: textOf(err, registry.ErrNotFound)}
	case errors.Is(err, registry.ErrConflict):
		return &Exception{Name: "ResourceConflictException", Message: textOf(err, registry.ErrConflict)}
	case errors.Is(err, registry.ErrPrecondition):
		return &Exception{Name: "PreconditionFailedException", Message: strings.Replace(preconditionText, "%s", "GetFunction/GetAlias", 1)}
	case errors.Is(err, registry.ErrInvalid):
		return &Exception{Name: "InvalidParameterValueException", Message: textOf(err, registry.ErrInvalid)}
	case errors.Is(err, registry.ErrCodeStorage):
		return &Exception{Name: "CodeStorageExceededException", Message: "Code storage limit exceeded."}
	case errors.Is(err, registry.ErrReadOnly):
		// Not a conflict: tools wait for those to pass.
		return &Exception{Name: "InvalidParameterValueException", Message: err.Error()}
	case errors.Is(err, code.ErrTooLarge):
		return &Exception{Name: "RequestEntityTooLargeException", Message: "Zipped size must be smaller than " + strconv.Itoa(code.MaxUpload) + " bytes"}
	case errors.Is(err, code.ErrInvalid):
		return &Exception{Name: "InvalidParameterValueException", Message: textOf(err, code.ErrInvalid)}
	case errors.Is(err, function.ErrOtherRegion):
		_, text, _ := strings.Cut(err.Error(), ": functions")
		return &Exception{Name: "ResourceNotFoundException", Message: "Functions" + text}
	case errors.Is(err, function.ErrOtherAccount):
		return &Exception{Name: "AccessDeniedException", Message: err.Error()}
	case errors.As(err, new(*warmpool.LoopError)):
		return &Exception{Name: "RecursiveInvocationException", Message: "Lambda has detected your function being invoked in a recursive loop with other Amazon Web Services resources and stopped your function's invocation."}
	case errors.Is(err, warmpool.ErrClosed):
		return &Exception{Name: "ServiceException", Message: "The function or the service is being stopped. Try again."}
	}
	return nil
}

// textOf is an error without the sentinel's own text.
func textOf(err, sentinel error) string {
	text := strings.TrimSuffix(err.Error(), ": "+sentinel.Error())
	return strings.TrimPrefix(text, sentinel.Error()+": ")
}

// refuse answers with an error. It logs an error of the server itself, and does not show
// it to the client.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, err error) {
	e := a.exceptionOf(err)
	if e == nil {
		if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
			return // nobody is there to tell
		}
		a.Refusals.Tell(a.Log, zap.ErrorLevel, "request failed", r.Method+r.URL.Path, func() []zap.Field {
			return []zap.Field{
				zap.String("method", r.Method), zap.String("path", r.URL.Path),
				zap.String("request_id", w.Header().Get("X-Amzn-Requestid")), zap.Error(err),
			}
		})
		e = &Exception{Name: "ServiceException", Message: "The service encountered an internal error."}
	}
	status, body := a.form(e)
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("X-Amzn-Errortype", e.Name)
	if e.Reason == "CallerRateLimitExceeded" { // AWS says nothing of when concurrency will be free
		header.Set("Retry-After", "1")
	}
	bodies.Refuse(w, r, status, body)
}

// form is the status and the body of an exception.
func (a *API) form(e *Exception) (status int, body []byte) {
	status = e.status
	fields := map[string]string{"message": e.Message}
	if known, ok := a.model.Exception(e.Name); ok {
		status = known.Status
		fields = map[string]string{known.Message: e.Message}
		if !e.untyped {
			fields["Type"] = "User"
		}
		if status >= http.StatusInternalServerError && !e.untyped {
			fields["Type"] = "Service"
		}
	}
	if e.Reason != "" {
		fields["Reason"] = e.Reason
	}
	if status == 0 {
		status = http.StatusBadRequest
		if known := common[e.Name]; known != 0 {
			status = known
		}
	}
	body, err := json.Marshal(fields)
	if err != nil {
		panic(err) // strings always encode
	}
	return status, body
}
