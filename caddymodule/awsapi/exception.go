package awsapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi/access"
	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/state"
)

// An Exception is an error under AWS's name for it.
type Exception struct {
	Name    string // e.g. NotFoundException
	Message string
	Status  int // HTTP, if the service's model does not know the exception. Default: 400
}

func (e *Exception) Error() string { return e.Name + ": " + e.Message }

// unread is the exception for a body that could not be read.
func (s *Service) unread(err error) error {
	switch {
	case errors.Is(err, bodies.ErrFull):
		return err
	case errors.Is(err, bodies.ErrTooLarge):
		return &Exception{Name: "RequestEntityTooLargeException", Status: http.StatusRequestEntityTooLarge,
			Message: "Request must be smaller than " + strconv.FormatInt(s.MaxBody, 10) + " bytes"}
	case errors.Is(err, bodies.ErrSlow):
		return &Exception{Name: s.Invalid, Message: "The request body came too slowly."}
	}
	return &Exception{Name: s.Invalid, Message: "The request body could not be read."}
}

// exceptionOf is the one table of what a client is told; nil for an error of the server.
func (s *Service) exceptionOf(err error) *Exception {
	var known *Exception
	var unsigned *sigv4.Error
	var violated *model.ValidationError
	var format *model.FormatError
	var denied *access.Denied
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &denied):
		return &Exception{Name: "AccessDeniedException", Message: denied.Message, Status: http.StatusForbidden}
	case errors.As(err, &unsigned):
		return &Exception{Name: unsigned.Code, Message: unsigned.Message, Status: unsigned.Status}
	case errors.As(err, &violated):
		return &Exception{Name: cmp.Or(s.Violation, s.Invalid), Message: violated.Error()}
	case errors.As(err, &format):
		return &Exception{Name: s.Invalid, Message: format.Message}
	case errors.Is(err, bodies.ErrFull):
		return &Exception{Name: "TooManyRequestsException", Message: "Too Many Requests", Status: http.StatusTooManyRequests}
	case errors.Is(err, state.ErrInUse), errors.Is(err, state.ErrUnavailable), errors.Is(err, state.ErrClosed):
		return &Exception{Name: "ServiceUnavailableException", Message: "The state of this server cannot be read or written now. Try again.", Status: http.StatusServiceUnavailable}
	}
	return s.Exception(err)
}

// refuse answers with an error. It logs an error of the server itself, and does not show it
// to the client.
func (e *Endpoint) refuse(s *Service, p protocol, w http.ResponseWriter, r *http.Request, err error) {
	x := s.exceptionOf(err)
	if x == nil {
		if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
			return // nobody is there to tell
		}
		e.Refusals.Tell(e.Log, zap.ErrorLevel, "request failed", r.Method+r.URL.Path, func() []zap.Field {
			return []zap.Field{
				zap.String("method", r.Method), zap.String("path", r.URL.Path),
				zap.String("request_id", w.Header().Get("X-Amzn-Requestid")), zap.Error(err),
			}
		})
		x = &Exception{Name: "InternalFailure", Message: "The service encountered an internal error.", Status: http.StatusInternalServerError}
	}
	if name := queryNames[x.Name]; name != "" && p == query {
		x = &Exception{Name: name, Message: x.Message, Status: x.Status}
	}
	header := w.Header()
	status, body := s.form(p, x, header.Get("X-Amzn-Requestid"))
	p.mark(s, header)
	if known, ok := s.Model.Exception(x.Name); ok && len(s.Model.Protocols) > 0 && p != query {
		header.Set("X-Amzn-Query-Error", cmp.Or(known.Code, x.Name)+";Sender")
	}
	header.Set("X-Amzn-Errortype", x.Name)
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		header.Set("Retry-After", "1")
	}
	bodies.Refuse(w, r, status, body)
}

// form is the status and the body of an exception.
func (s *Service) form(p protocol, x *Exception, id string) (status int, body []byte) {
	status = x.Status
	member := "message"
	if known, ok := s.Model.Exception(x.Name); ok {
		status = known.Status
		member = known.Message
	}
	if status == 0 {
		status = http.StatusBadRequest
	}
	if p == query {
		return status, s.queryError(x, status, id)
	}
	fields := map[string]string{member: x.Message}
	if p != restJSON {
		fields["__type"] = x.Name
	}
	if p == rpcCBOR {
		return status, encodeCBOR(fields)
	}
	body, err := json.Marshal(fields)
	if err != nil {
		panic(err) // strings always encode
	}
	return status, body
}
