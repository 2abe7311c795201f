package lambda

import (
	"errors"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

type urlInput struct {
	FunctionName, Qualifier string
	AuthType, InvokeMode    string
	Cors                    *cors
	Marker                  string
	MaxItems                int
}

type cors struct {
	AllowCredentials bool     `json:",omitempty"`
	AllowHeaders     []string `json:",omitempty"`
	AllowMethods     []string `json:",omitempty"`
	AllowOrigins     []string `json:",omitempty"`
	ExposeHeaders    []string `json:",omitempty"`
	MaxAge           int      `json:",omitempty"`
}

type urlOutput struct {
	FunctionUrl, FunctionArn, AuthType string
	Cors                               *cors  `json:",omitempty"`
	InvokeMode                         string `json:",omitempty"`
	CreationTime, LastModifiedTime     string
}

func (a *API) urlOf(f reference, u *registry.URLConfig) *urlOutput {
	if f.qualifier == function.Latest {
		f.qualifier = ""
	}
	return &urlOutput{
		FunctionUrl: a.URL(u.ID), FunctionArn: a.arn(f), AuthType: u.AuthType, Cors: (*cors)(u.Cors),
		InvokeMode: u.InvokeMode, CreationTime: formatTime(u.CreationTime), LastModifiedTime: formatTime(u.LastModified),
	}
}

// whole adds the default that is read back; answers to changes have it only if it was
// asked for.
func (u *urlOutput) whole() *urlOutput {
	u.InvokeMode = orDefault(u.InvokeMode, "BUFFERED")
	return u
}

// apply puts what was given over a function URL.
func (in *urlInput) apply(u *registry.URLConfig) {
	if in.AuthType != "" {
		u.AuthType = in.AuthType
	}
	if in.InvokeMode != "" {
		u.InvokeMode = in.InvokeMode
	}
	if in.Cors != nil {
		u.Cors = (*registry.Cors)(in.Cors)
	}
}

// https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunctionUrlConfig.html
func createFunctionURLConfig(a *API, r *request, in *urlInput) (*urlOutput, error) {
	f, err := a.find(in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	if a.URL("") == "" {
		return nil, invalid("Function URLs are not supported: this server has no host name for them configured.")
	}
	if _, err := a.lookup(r, f); err != nil {
		return nil, missing(err, noFunction)
	}
	u, err := a.Registry.CreateURL(r.Context(), f.name, f.orLatest(), func(u *registry.URLConfig) error {
		in.apply(u)
		return nil
	})
	if errors.Is(err, registry.ErrConflict) {
		err = exception("ResourceConflictException", "Failed to create function url config for [functionArn = "+a.arn(f)+"]. Error message:  FunctionUrlConfig exists for this Lambda function")
	}
	if err != nil {
		return nil, err
	}
	return a.urlOf(f, &u), nil
}

const noFunction = "Function does not exist"

const noURL = "The resource you requested does not exist."

// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionUrlConfig.html
func getFunctionURLConfig(a *API, r *request, in *urlInput) (*urlOutput, error) {
	f, err := a.find(in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	u, err := a.Registry.URLOf(r.Context(), f.name, f.orLatest())
	if err != nil {
		return nil, missing(err, noURL)
	}
	return a.urlOf(f, &u).whole(), nil
}

// https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionUrlConfig.html
func updateFunctionURLConfig(a *API, r *request, in *urlInput) (*urlOutput, error) {
	f, err := a.find(in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	if _, err := a.lookup(r, f); err != nil {
		return nil, missing(err, noFunction)
	}
	u, err := a.Registry.UpdateURL(r.Context(), f.name, f.orLatest(), func(u *registry.URLConfig) error {
		in.apply(u)
		return nil
	})
	if err != nil {
		return nil, missing(err, noURL)
	}
	return a.urlOf(f, &u), nil
}

// https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunctionUrlConfig.html
func deleteFunctionURLConfig(a *API, r *request, in *urlInput) (none, error) {
	f, err := a.find(in.FunctionName, in.Qualifier)
	if err != nil {
		return none{}, err
	}
	return none{}, missing(a.Registry.DeleteURL(r.Context(), f.name, f.orLatest()), noURL)
}

type urlsOutput struct {
	FunctionUrlConfigs []*urlOutput
	NextMarker         string `json:",omitempty"`
}

// https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctionUrlConfigs.html
func listFunctionURLConfigs(a *API, r *request, in *urlInput) (*urlsOutput, error) {
	f, err := a.find(in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	page, next, err := a.Registry.URLsOf(r.Context(), f.name, in.Marker, min(orDefault(in.MaxItems, maxFunctions), maxFunctions))
	if err != nil {
		return nil, missing(err, noFunction)
	}
	out := &urlsOutput{FunctionUrlConfigs: make([]*urlOutput, len(page)), NextMarker: next}
	for i, q := range page {
		out.FunctionUrlConfigs[i] = a.urlOf(reference{f.name, q.Qualifier}, &q.Value).whole()
	}
	return out, nil
}
