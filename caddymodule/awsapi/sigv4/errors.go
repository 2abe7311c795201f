package sigv4

import "net/http"

// An Error is why a request is refused, as AWS says it.
// https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html
type Error struct {
	Code    string // e.g. InvalidSignatureException
	Status  int
	Message string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

var (
	errMissing = &Error{"MissingAuthenticationTokenException", http.StatusForbidden, "Missing Authentication Token"}
	errToken   = &Error{"UnrecognizedClientException", http.StatusForbidden, "The security token included in the request is invalid."}
)

func invalid(message string) error {
	return &Error{"InvalidSignatureException", http.StatusForbidden, message}
}

func incomplete(message string) error {
	return &Error{"IncompleteSignatureException", http.StatusBadRequest, message}
}

// mismatch shows the client the text that it should have signed. All of it is from the request.
func mismatch(canonical, toSign []byte) error {
	message := "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	const most = 8 << 10
	if len(canonical) > 0 && len(canonical) < most {
		message += "\n\nThe Canonical String for this request should have been\n'" + string(canonical) +
			"'\n\nThe String-to-Sign should have been\n'" + string(toSign) + "'\n"
	}
	return invalid(message)
}
