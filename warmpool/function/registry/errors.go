package registry

import "errors"

// The errors of the registry. The text of a wrapping error names the thing; the API turns
// them into AWS's exceptions.
// https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html
var (
	// ErrNotFound: no such function, version, alias, layer, setting or mapping
	// (ResourceNotFoundException).
	ErrNotFound = errors.New("not found")
	// ErrConflict: it exists already, is in use, or changes too fast
	// (ResourceConflictException).
	ErrConflict = errors.New("conflict")
	// ErrPrecondition: the revision ID is not the latest
	// (PreconditionFailedException).
	ErrPrecondition = errors.New("the revision id provided does not match the latest revision id")
	// ErrInvalid: a value that AWS refuses (InvalidParameterValueException).
	ErrInvalid = errors.New("invalid parameter value")
	// ErrCodeStorage: all code together may not become larger
	// (CodeStorageExceededException).
	ErrCodeStorage = errors.New("code storage limit exceeded")
	// ErrReadOnly: the function is defined in the Caddyfile, change it there.
	ErrReadOnly = errors.New("defined in the Caddyfile: change it there")
)
