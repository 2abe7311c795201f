package lambda

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"runtime"
	"strconv"
	"strings"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// settings are the members that CreateFunction and UpdateFunctionConfiguration
// share; nil says nothing about what there is.
type settings struct {
	Role, Handler, Runtime, Description *string
	Timeout, MemorySize                 *int
	Environment                         *struct{ Variables map[string]string }
	Layers                              []string
	EphemeralStorage                    *struct{ Size int }
	TracingConfig                       *struct{ Mode string }
	DeadLetterConfig                    *struct{ TargetArn *string }
	SnapStart                           *struct{ ApplyOn string }
	LoggingConfig                       *struct{ LogFormat, ApplicationLogLevel, SystemLogLevel, LogGroup string }

	VpcConfig *struct {
		SubnetIds, SecurityGroupIds []string
		Ipv6AllowedForDualStack     bool
	}
	KMSKeyArn              *string
	FileSystemConfigs      []fileSystem
	ImageConfig            map[string]any
	CapacityProviderConfig map[string]any
	DurableConfig          map[string]any
}

// refuseSettings names the first setting of the function called name that is not
// supported. An empty setting, which tools send, asks for nothing.
func (a *API) refuseSettings(s *settings, name string) error {
	no := func(member, why string) error { return invalid(member + " is not supported: " + why) }
	for _, setting := range []struct {
		name  string
		asked bool
	}{
		{"vpc_config", s.VpcConfig != nil && len(s.VpcConfig.SubnetIds)+len(s.VpcConfig.SecurityGroupIds) > 0},
		{"kms_key_arn", s.KMSKeyArn != nil && *s.KMSKeyArn != ""},
		{"file_system_configs", len(s.FileSystemConfigs) > 0},
		{"tracing_config", s.TracingConfig != nil && s.TracingConfig.Mode == "Active"},
	} {
		if !setting.asked {
			continue
		}
		if err := a.ignore(setting.name, name); err != nil {
			return err
		}
	}
	switch {
	case len(s.ImageConfig) > 0:
		return no("ImageConfig", "functions are zip archives here, not container images.")
	case len(s.CapacityProviderConfig) > 0:
		return no("CapacityProviderConfig", "functions run on this machine.")
	case len(s.DurableConfig) > 0:
		return no("DurableConfig", "there are no durable executions here.")
	}
	return nil
}

// applyLogging puts what is said of the log over what there is: recorded from AWS, what
// is not said stays, and the levels go when the format goes back to text.
func (s *settings) applyLogging(c *registry.Configuration) error {
	given := s.LoggingConfig
	if given == nil {
		return nil
	}
	var l registry.LoggingConfig
	if c.LoggingConfig != nil {
		l = *c.LoggingConfig
	}
	l.LogFormat = cmp.Or(given.LogFormat, l.LogFormat, function.TextFormat)
	if l.LogFormat == function.TextFormat {
		if given.ApplicationLogLevel != "" || given.SystemLogLevel != "" {
			return invalid(function.ErrTextHasNoLevels.Error())
		}
		l.ApplicationLogLevel, l.SystemLogLevel = "", ""
	} else {
		l.ApplicationLogLevel = cmp.Or(given.ApplicationLogLevel, l.ApplicationLogLevel, "INFO")
		l.SystemLogLevel = cmp.Or(given.SystemLogLevel, l.SystemLogLevel, "INFO")
	}
	l.LogGroup = cmp.Or(given.LogGroup, l.LogGroup)
	c.LoggingConfig = &l
	return nil
}

// apply puts the settings over a configuration, except the layers.
func (s *settings) apply(c *registry.Configuration) error {
	set(&c.Role, s.Role)
	set(&c.Handler, s.Handler)
	set(&c.Runtime, s.Runtime)
	set(&c.Description, s.Description)
	set(&c.Timeout, s.Timeout)
	set(&c.MemorySize, s.MemorySize)
	if s.Environment != nil {
		c.Environment = maps.Clone(s.Environment.Variables)
	}
	if s.EphemeralStorage != nil {
		c.EphemeralStorage = s.EphemeralStorage.Size
	}
	if s.TracingConfig != nil && s.TracingConfig.Mode != "" {
		c.TracingMode = s.TracingConfig.Mode
	}
	if s.DeadLetterConfig != nil {
		set(&c.DeadLetterTarget, s.DeadLetterConfig.TargetArn) // {} leaves what there is
	}
	if s.SnapStart != nil && s.SnapStart.ApplyOn != "" {
		c.SnapStartApplyOn = s.SnapStart.ApplyOn
	}
	s.applyIgnored(c)
	return s.applyLogging(c)
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// checkEnvironment measures the variables of a request as AWS does, in their order.
func checkEnvironment(environment map[string]string, request []byte) error {
	if len(environment) == 0 {
		return nil
	}
	var measured bytes.Buffer
	e := json.NewEncoder(&measured)
	e.SetEscapeHTML(false)
	if err := e.Encode(environment); err != nil {
		return err
	}
	measured.Truncate(measured.Len() - 1) // the line's end
	if measured.Len() <= function.MaxEnvironmentBytes {
		return nil
	}
	var given struct {
		Environment struct{ Variables json.RawMessage }
	}
	if json.Unmarshal(request, &given) == nil && len(given.Environment.Variables) > 0 {
		measured.Reset()
		if err := json.Compact(&measured, given.Environment.Variables); err != nil {
			return err
		}
	}
	return invalid("Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: " + measured.String())
}

// checkVersion says whether a version can run here.
func (a *API) checkVersion(r *request, v *registry.Version) error {
	if v.Runtime == "" || v.Handler == "" {
		return invalid("Runtime and Handler are mandatory parameters for functions created with deployment packages.")
	}
	if err := checkEnvironment(v.Environment, r.body); err != nil {
		return err
	}
	if v.SnapStartApplyOn == "PublishedVersions" && !snapStarts(v.Runtime) {
		return invalid(v.Runtime + " is not supported for SnapStart enabled functions.")
	}
	if v.DeadLetterTarget != "" {
		if err := a.checkDestination(v.DeadLetterTarget); err != nil {
			return err
		}
	}
	f, err := v.Function(func(registry.Code) string { return "/" })
	if err != nil {
		return err
	}
	if err := a.Check(r.Context(), f); err != nil {
		return invalid(err.Error())
	}
	return nil
}

// architecture is what this machine runs, as Lambda calls it.
func architecture() string {
	if runtime.GOARCH == "arm64" {
		return "arm64"
	}
	return "x86_64"
}

// checkArchitectures takes nothing, or what this machine is, unless the configuration
// has it ignored.
func (a *API) checkArchitectures(wanted []string, name string) error {
	for _, one := range wanted {
		if one != architecture() {
			return a.ignore("architectures", name)
		}
	}
	return nil
}

// snapStarts reports whether SnapStart is for functions of a runtime, on AWS. Here
// environments of all are booted ahead, and nothing is kept of a published version.
// https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html#snapstart-runtimes
func snapStarts(runtime string) bool {
	if version, ok := strings.CutPrefix(runtime, "python3."); ok {
		minor, err := strconv.Atoi(version)
		return err == nil && minor >= 12
	}
	if version, ok := strings.CutPrefix(runtime, "java"); ok {
		major, err := strconv.Atoi(strings.TrimSuffix(version, ".al2023"))
		return err == nil && major >= 11
	}
	return false
}

// layers finds the layer versions that a function names.
func (a *API) layers(r *request, arns []string) ([]registry.Layer, error) {
	if len(arns) > function.MaxLayers {
		return nil, invalid("Cannot reference more than " + strconv.Itoa(function.MaxLayers) + " layers.")
	}
	layers := make([]registry.Layer, 0, len(arns))
	seen := make(map[string]string)
	for _, arn := range arns {
		name, version, err := a.Account.ParseLayer(arn)
		switch {
		case errors.Is(err, function.ErrOtherRegion):
			return nil, invalid("Layers are not in the same region as the function. Layers are expected to be in region " + a.Account.Region + ".")
		case err != nil:
			return nil, invalid("Layer version " + arn + " does not exist.")
		case seen[name] != "":
			return nil, invalid("Two different versions of the same layer are not allowed to be referenced in the same function. " +
				seen[name] + " and " + arn + " are versions of the same layer.")
		}
		seen[name] = arn
		l, err := a.Registry.LayerVersion(r.Context(), name, version)
		if errors.Is(err, registry.ErrNotFound) {
			return nil, invalid("Layer version " + arn + " does not exist.")
		}
		if err != nil {
			return nil, err
		}
		layers = append(layers, registry.Layer{ARN: a.Account.LayerARN(name, version), Code: l.Code})
	}
	return layers, nil
}
