package autoscaling

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/invoker/scaling"
	"github.com/hearthfn/hearth/warmpool/function"
)

const (
	// TargetPrefix begins the header X-Amz-Target of every call.
	TargetPrefix = "AnyScaleFrontendService."
	// Service is the name that calls are signed for.
	Service = "application-autoscaling"
	// MaxBody is the largest body of a call, in bytes.
	MaxBody = 64 << 10

	contentType = "application/x-amz-json-1.1"
)

// An API answers calls.
type API struct {
	store   scaling.Store
	account function.Account
	// exists returns an error if a resource is not there, which wraps registry.ErrNotFound.
	exists func(ctx context.Context, r scaling.Resource) error
	log    *zap.Logger
}

// New makes an API of the targets in store, with ARNs of account.
func New(store scaling.Store, account function.Account, exists func(context.Context, scaling.Resource) error, log *zap.Logger) *API {
	return &API{store: store, account: account, exists: exists, log: log}
}

// An operation answers a call whose body is the JSON input.
type operation func(a *API, ctx context.Context, input []byte) (output any, err error)

var operations = map[string]operation{
	"RegisterScalableTarget":   call((*API).registerTarget),
	"DeregisterScalableTarget": call((*API).deregisterTarget),
	"DescribeScalableTargets":  call((*API).describeTargets),

	"PutScheduledAction":       call((*API).putAction),
	"DeleteScheduledAction":    call((*API).deleteAction),
	"DescribeScheduledActions": call((*API).describeActions),

	"PutScalingPolicy":        call((*API).putPolicy),
	"DeleteScalingPolicy":     call((*API).deletePolicy),
	"DescribeScalingPolicies": call((*API).describePolicies),

	"DescribeScalingActivities": call((*API).describeActivities),

	"TagResource":         call((*API).tagResource),
	"UntagResource":       call((*API).untagResource),
	"ListTagsForResource": call((*API).listTags),
}

// ReadOnly reports whether an operation changes nothing.
func ReadOnly(operation string) bool {
	return strings.HasPrefix(operation, "Describe") || strings.HasPrefix(operation, "List")
}

// call decodes the input of an operation. A member that is not known is refused, because
// nothing would act on it.
func call[In, Out any](run func(*API, context.Context, *In) (Out, error)) operation {
	return func(a *API, ctx context.Context, input []byte) (any, error) {
		in := new(In)
		decoder := json.NewDecoder(bytes.NewReader(input))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(in); err != nil {
			var wrong *json.UnmarshalTypeError
			if errors.As(err, &wrong) {
				return nil, &apiError{"SerializationException", wrong.Value + " can not be converted to " + wrong.Type.String() + " (" + wrong.Field + ")"}
			}
			if text := err.Error(); strings.Contains(text, "unknown field") {
				return nil, invalid("%s is not supported.", strings.TrimPrefix(text, "json: unknown field "))
			}
			return nil, &apiError{"SerializationException", "the body is no JSON object: " + err.Error()}
		}
		return run(a, ctx, in)
	}
}

// Serve answers a call of the operation, which has the body.
func (a *API) Serve(w http.ResponseWriter, r *http.Request, operation string, body []byte) {
	run := operations[operation]
	if run == nil {
		a.refuse(w, &apiError{"UnknownOperationException", "operation " + operation + " is not supported: Hearth scales provisioned concurrency by scheduled actions and target tracking"})
		return
	}
	output, err := run(a, r.Context(), body)
	if err != nil {
		a.refuse(w, err)
		return
	}
	answer, err := json.Marshal(output)
	if err != nil {
		a.refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(answer) // the client may be gone
}

// An apiError is an error for a client, under AWS's name for it.
type apiError struct{ kind, message string }

func (e *apiError) Error() string { return e.kind + ": " + e.message }

func invalid(format string, args ...any) error {
	return &apiError{"ValidationException", fmt.Sprintf(format, args...)}
}

// refuse answers with an error in the form of AWS's JSON protocol. It logs what the client
// must not know.
func (a *API) refuse(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	var known *apiError
	if !errors.As(err, &known) {
		a.log.Error("a call of Application Auto Scaling failed", zap.Error(err))
		status, known = http.StatusInternalServerError, &apiError{"InternalServiceException", "The service failed; its log says why."}
	}
	body, marshalErr := json.Marshal(map[string]string{"__type": known.kind, "message": known.message})
	if marshalErr != nil {
		panic(marshalErr) // two strings always encode
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// A timestamp is seconds since 1970, as the JSON protocol has it.
type timestamp time.Time

// MarshalJSON implements json.Marshaler.
func (t timestamp) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(time.Time(t).UnixMilli()) / 1000)
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *timestamp) UnmarshalJSON(text []byte) error {
	var seconds float64
	if err := json.Unmarshal(text, &seconds); err != nil {
		return err
	}
	*t = timestamp(time.UnixMilli(int64(seconds * 1000)).UTC())
	return nil
}
