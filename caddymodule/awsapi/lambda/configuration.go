package lambda

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// lambdaTime is how Lambda writes most times.
const lambdaTime = "2006-01-02T15:04:05.000-0700"

// configuration is a version of a function as clients see it.
// https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html
type configuration struct {
	FunctionName, FunctionArn string
	Runtime                   string `json:",omitempty"`
	Role                      string `json:",omitempty"`
	Handler                   string `json:",omitempty"`
	CodeSize                  int64
	Description               string
	Timeout, MemorySize       int
	LastModified              string
	CodeSha256, Version       string
	DeadLetterConfig          *targetArn `json:",omitempty"`
	Environment               *variables `json:",omitempty"`
	TracingConfig             mode
	RevisionId                string
	Layers                    []layerOf       `json:",omitempty"`
	RuntimeVersionConfig      *runtimeVersion `json:",omitempty"`
	State                     string          `json:",omitempty"`
	StateReason               string          `json:",omitempty"`
	StateReasonCode           string          `json:",omitempty"`
	LastUpdateStatus          string          `json:",omitempty"`
	LastUpdateStatusReason    string          `json:",omitempty"`
	LastUpdateStatusCode      string          `json:"LastUpdateStatusReasonCode,omitempty"`
	PackageType               string
	Architectures             []string
	EphemeralStorage          size
	SnapStart                 snapStart
	LoggingConfig             loggingConfig
	VpcConfig                 *vpcConfig     `json:",omitempty"`
	KMSKeyArn                 string         `json:",omitempty"`
	FileSystemConfigs         []fileSystem   `json:",omitempty"`
	TenancyConfig             *tenancyConfig `json:",omitempty"`
}

type (
	targetArn     struct{ TargetArn string }
	variables     struct{ Variables map[string]string }
	mode          struct{ Mode string }
	size          struct{ Size int }
	snapStart     struct{ ApplyOn, OptimizationStatus string }
	loggingConfig struct {
		LogFormat           string
		ApplicationLogLevel string `json:",omitempty"`
		SystemLogLevel      string `json:",omitempty"`
		LogGroup            string
	}
	runtimeVersion struct {
		RuntimeVersionArn string
		Error             *runtimeVersionError `json:",omitempty"`
	}
	runtimeVersionError struct{ ErrorCode, Message string }
	layerOf             struct {
		Arn      string
		CodeSize int64
	}
)

// configurationOf is the version v as it is seen under a qualifier: "" for the
// function's own ARN.
func (a *API) configurationOf(v *registry.Version, qualifier string) *configuration {
	c := &configuration{
		FunctionName: v.FunctionName, FunctionArn: a.Account.ARN(v.FunctionName, qualifier),
		Runtime: v.Runtime, Role: v.Role, Handler: v.Handler, CodeSize: v.Code.Size, Description: v.Description,
		Timeout: orDefault(v.Timeout, int(function.DefaultTimeout.Seconds())), MemorySize: orDefault(v.MemorySize, function.DefaultMemoryMB),
		LastModified: v.LastModified.UTC().Format(lambdaTime), CodeSha256: v.Code.SHA256, Version: v.Version,
		TracingConfig: mode{orDefault(v.TracingMode, "PassThrough")}, RevisionId: v.RevisionID,
		State: v.State.State, StateReason: v.State.Reason, StateReasonCode: v.State.ReasonCode,
		LastUpdateStatus: v.State.UpdateStatus, LastUpdateStatusReason: v.State.UpdateReason, LastUpdateStatusCode: v.State.UpdateReasonCode,
		PackageType: orDefault(v.PackageType, "Zip"), Architectures: v.Architectures,
		EphemeralStorage: size{orDefault(v.EphemeralStorage, function.DefaultEphemeralStorageMB)},
		SnapStart:        snapStart{orDefault(v.SnapStartApplyOn, "None"), "Off"}, // nothing is kept of a published version
		LoggingConfig:    loggingConfig{LogFormat: function.TextFormat, LogGroup: function.DefaultLogGroup(v.FunctionName)},
	}
	if len(c.Architectures) == 0 {
		c.Architectures = []string{architecture()}
	}
	c.showIgnored(v)
	if l := v.LoggingConfig; l != nil {
		c.LoggingConfig = loggingConfig{l.LogFormat, l.ApplicationLogLevel, l.SystemLogLevel, cmp.Or(l.LogGroup, c.LoggingConfig.LogGroup)}
	}
	if v.Runtime != "" {
		c.RuntimeVersionConfig = a.runtimeVersionOf(v.Runtime)
	}
	if v.Environment != nil {
		c.Environment = &variables{v.Environment}
	}
	if v.DeadLetterTarget != "" {
		c.DeadLetterConfig = &targetArn{v.DeadLetterTarget}
	}
	for _, l := range v.Layers {
		c.Layers = append(c.Layers, layerOf{l.ARN, l.Code.Size})
	}
	return c
}

// otherVersion says that a function is served by a program of another version than its
// runtime names.
const otherVersion = "OtherVersion"

// runtimeVersionOf tells what serves a runtime on this node. Where AWS has a digest the
// ARN ends with the program's name and version.
func (a *API) runtimeVersionOf(runtime string) *runtimeVersion {
	version, warning := a.RuntimeVersion(runtime)
	v := &runtimeVersion{RuntimeVersionArn: fmt.Sprintf("arn:aws:lambda:%s::runtime:%s", a.Account.Region, version)}
	if warning != "" {
		v.Error = &runtimeVersionError{otherVersion, warning}
	}
	return v
}

// Answers to changes tell of the moment at which AWS gives them: before the new state
// is reached. Clients wait for it by GetFunction, and here it is there by then. The
// revision that they have is outdated at once, as it is on AWS when the state changes.

const (
	progressCode   = "Creating"
	progressReason = "The function is being created."
)

func (c *configuration) pending() *configuration {
	c.State, c.StateReason, c.StateReasonCode = "Pending", progressReason, progressCode
	c.LastUpdateStatus, c.LastUpdateStatusReason, c.LastUpdateStatusCode = "", "", ""
	return c
}

func (c *configuration) created() *configuration {
	c.RevisionId = registry.NewRevisionID()
	return c.pending()
}

func (c *configuration) updating() *configuration {
	c.RevisionId = registry.NewRevisionID()
	c.LastUpdateStatus, c.LastUpdateStatusReason, c.LastUpdateStatusCode = "InProgress", progressReason, progressCode
	return c
}

// listed leaves out what lists do not have.
func (c *configuration) listed() *configuration {
	c.RuntimeVersionConfig = nil
	c.State, c.StateReason, c.StateReasonCode = "", "", ""
	c.LastUpdateStatus, c.LastUpdateStatusReason, c.LastUpdateStatusCode = "", "", ""
	return c
}

func orDefault[T comparable](value, instead T) T {
	var zero T
	if value == zero {
		return instead
	}
	return value
}

// version reads the version that a reference leads to; an alias leads to its main
// one. Without one the error is what most operations have for that.
func (a *API) version(r *request, f reference) (*registry.Version, error) {
	v, err := a.lookup(r, f)
	return v, a.notFound(err, f)
}

// lookup is version with registry.ErrNotFound.
func (a *API) lookup(r *request, f reference) (*registry.Version, error) {
	version := f.orLatest()
	if version != function.Latest && !isNumber(version) {
		alias, err := a.Registry.Alias(r.Context(), f.name, version)
		if err != nil {
			return nil, err
		}
		version = alias.FunctionVersion
	}
	v, err := a.Registry.Version(r.Context(), f.name, version)
	if errors.Is(err, registry.ErrInvalid) {
		err = fmt.Errorf("%w: %w", registry.ErrNotFound, err) // a number that no version has
	}
	return v, err
}

func isNumber(qualifier string) bool {
	_, err := strconv.ParseUint(qualifier, 10, 64)
	return err == nil
}

type functionInput struct{ FunctionName, Qualifier string }

// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html
func getFunctionConfiguration(a *API, r *request, in *functionInput) (*configuration, error) {
	f, err := a.find(in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	v, err := a.version(r, f)
	if err != nil {
		return nil, err
	}
	return a.configurationOf(v, f.qualifier), nil
}

type updateConfigurationInput struct {
	FunctionName, RevisionId string
	settings
}

// https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html
func updateFunctionConfiguration(a *API, r *request, in *updateConfigurationInput) (*configuration, error) {
	name, err := a.findWhole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	if err := cmp.Or(a.checkRuntime(in.Runtime), a.refuseSettings(&in.settings, name), a.checkRole(r.Context(), in.Role)); err != nil {
		return nil, err
	}
	layers, err := a.layers(r, in.Layers)
	if err != nil {
		return nil, err
	}
	if len(layers) > 0 {
		signing, err := a.signingOf(r, name)
		if err == nil {
			err = a.checkSigned(r, signing, name)
		}
		if err != nil {
			return nil, err
		}
	}
	v, err := a.Registry.Update(r.Context(), name, in.RevisionId, func(v *registry.Version) error {
		if err := in.apply(&v.Configuration); err != nil {
			return err
		}
		if in.Layers != nil {
			v.Layers = layers
			if err := a.checkSize(v.Code, layers); err != nil {
				return err
			}
		}
		v.State = ready
		return a.checkVersion(r, v)
	})
	if err != nil {
		return nil, a.notFound(err, reference{name: name})
	}
	a.refresh(r.Context(), name, function.Latest)
	return a.configurationOf(&v, "").updating(), nil
}

// ready is the state of every function that an answer tells of: its code is
// unpacked and its configuration checked by then.
var ready = registry.State{State: "Active", UpdateStatus: "Successful"}

// formatTime writes a time as function URLs have it.
func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
