package lambda

import (
	"errors"
	"time"

	"github.com/hearthfn/hearth/warmpool/function/registry"
)

type (
	destination struct {
		Destination string `json:",omitempty"`
	}
	destinationConfig struct {
		OnSuccess, OnFailure *destination `json:",omitempty"`
	}
)

type eventInvokeInput struct {
	FunctionName, Qualifier                        string
	MaximumRetryAttempts, MaximumEventAgeInSeconds *int
	DestinationConfig                              *destinationConfig
	Marker                                         string
	MaxItems                                       int
}

type eventInvokeOutput struct {
	FunctionArn              string
	LastModified             seconds
	MaximumRetryAttempts     *int `json:",omitempty"`
	MaximumEventAgeInSeconds *int `json:",omitempty"`
	DestinationConfig        destinationConfig
}

// seconds is a time as AWS's timestamps are: seconds since 1970, to the millisecond.
type seconds float64

func newSeconds(t time.Time) seconds { return seconds(float64(t.UnixMilli()) / 1000) }

func (a *API) eventInvokeOf(f reference, c *registry.InvokeConfig) *eventInvokeOutput {
	f.qualifier = f.orLatest()
	return &eventInvokeOutput{
		FunctionArn: a.arn(f), LastModified: newSeconds(c.LastModified),
		MaximumRetryAttempts: c.MaximumRetryAttempts, MaximumEventAgeInSeconds: c.MaximumEventAgeInSeconds,
		DestinationConfig: destinationConfig{&destination{c.OnSuccess}, &destination{c.OnFailure}},
	}
}

const noFunctionEither = "The function doesn't exist."

// putEventInvoke writes the given settings, in place of the present ones or over them.
func (a *API) putEventInvoke(r *request, in *eventInvokeInput, update bool) (*eventInvokeOutput, error) {
	f, err := a.find(in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	if in.MaximumRetryAttempts == nil && in.MaximumEventAgeInSeconds == nil && in.DestinationConfig == nil {
		return nil, invalid("You must specify at least one of error handling or destination setting.")
	}
	if _, err := a.lookup(r, f); err != nil {
		return nil, missing(err, noFunctionEither)
	}
	if err := a.checkDestinations(r, f, in.DestinationConfig); err != nil {
		return nil, err
	}
	c, err := a.Registry.InvokeConfig.Put(r.Context(), f.name, f.orLatest(), func(c *registry.InvokeConfig, exists bool) error {
		if update && !exists {
			return registry.ErrNotFound
		}
		if !update {
			*c = registry.InvokeConfig{}
		}
		if in.MaximumRetryAttempts != nil {
			c.MaximumRetryAttempts = in.MaximumRetryAttempts
		}
		if in.MaximumEventAgeInSeconds != nil {
			c.MaximumEventAgeInSeconds = in.MaximumEventAgeInSeconds
		}
		if d := in.DestinationConfig; d != nil {
			if d.OnSuccess != nil {
				c.OnSuccess = d.OnSuccess.Destination
			}
			if d.OnFailure != nil {
				c.OnFailure = d.OnFailure.Destination
			}
		}
		return nil
	})
	if err != nil {
		return nil, a.noEventInvoke(err, f)
	}
	return a.eventInvokeOf(f, &c), nil
}

// checkDestination refuses what nothing would be delivered to.
func (a *API) checkDestination(arn string) error {
	err := errors.New("this server delivers to functions only")
	if a.Destination != nil {
		err = a.Destination(arn)
	}
	if err != nil {
		return invalid("The destination " + arn + " is not supported: " + err.Error() + ".")
	}
	return nil
}

// String is the configuration as AWS's refusals show it.
func (d *destinationConfig) String() string {
	show := func(name string, to *destination) string {
		if to == nil {
			return "null"
		}
		return name + "(destination=" + to.Destination + ")"
	}
	return "DestinationConfig(onSuccess=" + show("OnSuccess", d.OnSuccess) + ", onFailure=" + show("OnFailure", d.OnFailure) + ")"
}

// checkDestinations checks that destinations that are functions exist here.
func (a *API) checkDestinations(r *request, f reference, d *destinationConfig) error {
	if d == nil {
		return nil
	}
	for _, to := range []*destination{d.OnSuccess, d.OnFailure} {
		if to == nil || to.Destination == "" {
			continue
		}
		target, err := a.find(to.Destination, "")
		if err != nil { // a queue's, a topic's ...
			switch service(to.Destination) {
			case "sqs", "sns", "s3", "events", "lambda":
				if err := a.checkDestination(to.Destination); err != nil {
					return err
				}
			default:
				return invalid("The provided destination config " + d.String() + " is invalid.")
			}
			continue
		}
		if target.name == f.name {
			return invalid("You can't specify the function as a destination for itself.")
		}
		if _, err := a.version(r, target); err != nil {
			return missingDestination(err, to.Destination)
		}
	}
	return nil
}

func missingDestination(err error, arn string) error {
	var e *Exception
	if errors.As(err, &e) && e.Name == "ResourceNotFoundException" {
		return invalid("The destination ARN " + arn + " is invalid.")
	}
	return err
}

func (a *API) noEventInvoke(err error, f reference) error {
	return missing(err, "The function "+a.Account.ARN(f.name, f.orLatest())+" doesn't have an EventInvokeConfig")
}

// https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
func putFunctionEventInvokeConfig(a *API, r *request, in *eventInvokeInput) (*eventInvokeOutput, error) {
	return a.putEventInvoke(r, in, false)
}

// https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionEventInvokeConfig.html
func updateFunctionEventInvokeConfig(a *API, r *request, in *eventInvokeInput) (*eventInvokeOutput, error) {
	return a.putEventInvoke(r, in, true)
}

// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionEventInvokeConfig.html
func getFunctionEventInvokeConfig(a *API, r *request, in *eventInvokeInput) (*eventInvokeOutput, error) {
	f, err := a.find(in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	c, err := a.Registry.InvokeConfig.Read(r.Context(), f.name, f.orLatest())
	if err != nil {
		return nil, a.noEventInvoke(err, f)
	}
	return a.eventInvokeOf(f, &c), nil
}

// https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunctionEventInvokeConfig.html
func deleteFunctionEventInvokeConfig(a *API, r *request, in *eventInvokeInput) (none, error) {
	f, err := a.find(in.FunctionName, in.Qualifier)
	if err != nil {
		return none{}, err
	}
	return none{}, a.noEventInvoke(a.Registry.InvokeConfig.Delete(r.Context(), f.name, f.orLatest(), nil), f)
}

type eventInvokesOutput struct {
	FunctionEventInvokeConfigs []*eventInvokeOutput
	NextMarker                 string `json:",omitempty"`
}

// https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctionEventInvokeConfigs.html
func listFunctionEventInvokeConfigs(a *API, r *request, in *eventInvokeInput) (*eventInvokesOutput, error) {
	f, err := a.find(in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	page, next, err := a.Registry.InvokeConfig.List(r.Context(), f.name, in.Marker, min(orDefault(in.MaxItems, maxFunctions), maxFunctions))
	if err != nil {
		return nil, missing(err, noFunctionEither)
	}
	out := &eventInvokesOutput{FunctionEventInvokeConfigs: make([]*eventInvokeOutput, len(page)), NextMarker: next}
	for i, q := range page {
		out.FunctionEventInvokeConfigs[i] = a.eventInvokeOf(reference{f.name, q.Qualifier}, &q.Value)
	}
	return out, nil
}
