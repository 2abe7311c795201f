package s3

import (
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi/access"
	"github.com/hearthfn/hearth/caddymodule/awsapi/s3/artefact"
	"github.com/hearthfn/hearth/caddymodule/awsapi/s3/notification"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/warmpool/bodies"
)

// An Error is why a request is refused.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
type Error struct {
	Status        int
	Code, Message string
	// Arguments are names and values of what the error is about.
	Arguments [][2]string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func refuse(status int, code, message string) error {
	return &Error{Status: status, Code: code, Message: message}
}

func badRequest(message string) error {
	return refuse(http.StatusBadRequest, "InvalidRequest", message)
}

func badArgument(message string) error {
	return refuse(http.StatusBadRequest, "InvalidArgument", message)
}

func notSupported(what string) error {
	return refuse(http.StatusNotImplemented, "NotImplemented", what+" of s3 is not supported: this server keeps the files of deployments. It is no object store.")
}

var (
	errNotModified = &Error{Status: http.StatusNotModified, Code: "NotModified"}
	errCondition   = refuse(http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
	errBusy        = refuse(http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")
	errMalformed   = refuse(http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	errBroken      = refuse(http.StatusBadRequest, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header")
	errSlow        = refuse(http.StatusBadRequest, "RequestTimeout", "Your socket connection to the server was not read from or written to within the timeout period.")
	errDigest      = refuse(http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
)

// errorOf is the one table of what a client is told; nil for an error of the server.
func errorOf(err error) *Error {
	var known *Error
	var unsigned *sigv4.Error
	var denied *access.Denied
	is := func(status int, code, message string) *Error {
		return &Error{Status: status, Code: code, Message: message}
	}
	var notified *notification.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &notified):
		return &Error{notified.Status, notified.Code, notified.Message, notified.Arguments}
	case errors.As(err, &denied):
		return is(http.StatusForbidden, "AccessDenied", denied.Message)
	case errors.As(err, &unsigned):
		code := unsigned.Code
		switch code {
		case "MissingAuthenticationTokenException":
			code = "AccessDenied"
		case "ExpiredTokenException":
			code = "ExpiredToken"
		case "UnrecognizedClientException":
			code = "InvalidAccessKeyId"
		case "InvalidSignatureException":
			code = "SignatureDoesNotMatch"
		case "IncompleteSignatureException":
			code = "AuthorizationHeaderMalformed"
		}
		return is(unsigned.Status, code, unsigned.Message)
	case errors.Is(err, artefact.ErrNoBucket):
		return is(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
	case errors.Is(err, artefact.ErrNoObject):
		return is(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	case errors.Is(err, artefact.ErrNoUpload):
		return is(http.StatusNotFound, "NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.")
	case errors.Is(err, artefact.ErrNotEmpty):
		return is(http.StatusConflict, "BucketNotEmpty", "The bucket you tried to delete is not empty")
	case errors.Is(err, artefact.ErrTooMany):
		return is(http.StatusBadRequest, "InvalidRequest", "This server keeps 100 buckets, 20000 objects and parts, and 100 uploads in parts at most. Remove some.")
	case errors.Is(err, artefact.ErrFull):
		return is(http.StatusInsufficientStorage, "InsufficientStorage", "The files of deployments would take more than code_storage allows. Remove some.")
	case errors.Is(err, artefact.ErrTooLarge):
		return is(http.StatusBadRequest, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size: 1073741824 bytes")
	}
	return nil
}

// fail answers with an error. It logs an error of the server itself, and does not show it to
// the client.
func (a *API) fail(w http.ResponseWriter, r *http.Request, id string, err error) {
	x := errorOf(err)
	if x == nil {
		if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
			return // nobody is there to tell
		}
		a.Refusals.Tell(a.Log, zap.ErrorLevel, "request failed", r.Method+" s3", func() []zap.Field {
			return []zap.Field{zap.String("method", r.Method), zap.String("path", r.URL.Path), zap.String("request_id", id), zap.Error(err)}
		})
		x = &Error{Status: http.StatusInternalServerError, Code: "InternalError", Message: "We encountered an internal error. Please try again."}
	}
	if x.Status == http.StatusNotModified {
		w.WriteHeader(x.Status)
		return
	}
	var body []byte
	if r.Method != http.MethodHead {
		w.Header().Set("Content-Type", "application/xml")
		type argument struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		}
		out := struct {
			XMLName             xml.Name `xml:"Error"`
			Code, Message       string
			Arguments           []argument
			Resource, RequestId string
		}{Code: x.Code, Message: x.Message, Resource: r.URL.Path, RequestId: id}
		for n, a := range x.Arguments {
			for part, name := range []string{"ArgumentName", "ArgumentValue"} {
				out.Arguments = append(out.Arguments, argument{xml.Name{Local: name + strconv.Itoa(n+1)}, a[part]})
			}
		}
		body = encode(out)
	}
	bodies.Refuse(w, r, x.Status, body)
}

func encode(value any) []byte {
	body, err := xml.Marshal(value)
	if err != nil {
		panic(err) // answers are plain structs
	}
	return append([]byte(xml.Header), body...)
}
