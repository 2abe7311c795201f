package registry

import (
	"fmt"
	"strconv"
	"time"

	"github.com/hearthfn/hearth/warmpool/function"
)

// A Version is a function's configuration and code: $LATEST, which changes, or a
// published version, which does not. Field names are those of AWS's
// FunctionConfiguration, in records too.
// https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html
type Version struct {
	FunctionName string
	Version      string // function.Latest or 1, 2, 3 ...
	RevisionID   string // a UUID, another one after each change
	LastModified time.Time

	Configuration
	Code  Code
	State State
}

// Configuration is what UpdateFunctionConfiguration can change. Values are kept as they
// were given; what AWS would refuse, the API has to refuse before.
type Configuration struct {
	Description      string            `json:",omitempty"`
	Runtime          string            `json:",omitempty"`
	Role             string            `json:",omitempty"` // whose credentials environments get
	Handler          string            `json:",omitempty"`
	PackageType      string            `json:",omitempty"` // "Zip"
	Architectures    []string          `json:",omitempty"`
	MemorySize       int               `json:",omitempty"` // MB, default 128
	Timeout          int               `json:",omitempty"` // seconds, default 3
	EphemeralStorage int               `json:",omitempty"` // MB, default 512
	Environment      map[string]string `json:",omitzero"`  // one that is empty is given back
	Layers           []Layer           `json:",omitempty"` // the later ones over the earlier
	TracingMode      string            `json:",omitempty"` // Active or PassThrough
	KMSKeyArn        string            `json:",omitempty"`
	DeadLetterTarget string            `json:",omitempty"` // ARN
	SnapStartApplyOn string            `json:",omitempty"` // None or PublishedVersions

	// Kept for the caller, and not acted on.
	SourceKMSKeyArn     string `json:",omitempty"`
	TenantIsolationMode string `json:",omitempty"`

	VpcConfig     *VpcConfig     `json:",omitempty"`
	LoggingConfig *LoggingConfig `json:",omitempty"`
	FileSystems   []FileSystem   `json:",omitempty"`
}

// Code refers to a code archive.
type Code struct {
	SHA256 string // of the archive, base64 as in CodeSha256
	Size   int64  // bytes of the archive
}

// A Layer of a function. It names its archive, because a function keeps its layer
// when the layer version is deleted.
type Layer struct {
	ARN  string
	Code Code
}

// VpcConfig is kept for the caller: a node has no VPCs.
type VpcConfig struct {
	SubnetIDs, SecurityGroupIDs []string `json:",omitempty"`
	IPv6AllowedForDualStack     bool     `json:",omitempty"`
}

// LoggingConfig says how a function logs.
type LoggingConfig struct {
	LogFormat           string `json:",omitempty"` // Text or JSON
	ApplicationLogLevel string `json:",omitempty"`
	SystemLogLevel      string `json:",omitempty"`
	LogGroup            string `json:",omitempty"`
}

// FileSystem is one entry of FileSystemConfigs.
type FileSystem struct {
	ARN, LocalMountPath string
}

// State is what the waiters of AWS's clients look at.
type State struct {
	State            string `json:",omitempty"` // Pending, Active, Inactive, Failed
	Reason           string `json:",omitempty"`
	ReasonCode       string `json:",omitempty"`
	UpdateStatus     string `json:",omitempty"` // Successful, Failed, InProgress
	UpdateReason     string `json:",omitempty"`
	UpdateReasonCode string `json:",omitempty"`
}

// Function makes the engine's function of a version whose code, and each layer of
// it, lies unpacked in the folder that path tells. Limits of concurrency are
// settings and not part of it.
func (v *Version) Function(path func(Code) string) (*function.Function, error) {
	f := &function.Function{
		Name: v.FunctionName, Version: v.Version, Description: v.Description, Runtime: v.Runtime, Handler: v.Handler, Code: path(v.Code),
		MemoryMB: v.MemorySize, Timeout: time.Duration(v.Timeout) * time.Second,
		EphemeralStorageMB: v.EphemeralStorage, Environment: v.Environment, Role: v.Role,
	}
	if l := v.LoggingConfig; l != nil {
		f.Logging = function.Logging{Format: l.LogFormat, ApplicationLevel: l.ApplicationLogLevel, SystemLevel: l.SystemLogLevel, Group: l.LogGroup}
	}
	for _, layer := range v.Layers {
		f.Layers = append(f.Layers, path(layer.Code))
	}
	if err := f.Normalize(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return f, nil
}

const (
	recordHead   = "head"
	recordLatest = "latest"

	prefixVersion = "version/"
	prefixAlias   = "alias/"
)

// versionRecord is the record name of a version; numbers sort as names do.
func versionRecord(number uint64) string { return fmt.Sprintf("%s%020d", prefixVersion, number) }

// recordOf returns the record name of $LATEST or of a version number; ok is
// false if qualifier has the form of an alias.
func recordOf(qualifier string) (record string, ok bool) {
	if qualifier == function.Latest {
		return recordLatest, true
	}
	number, err := strconv.ParseUint(qualifier, 10, 64)
	if err != nil || strconv.FormatUint(number, 10) != qualifier {
		return "", false
	}
	return versionRecord(number), true
}
