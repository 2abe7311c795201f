package lambda

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"github.com/hearthfn/hearth/warmpool/code"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

type createInput struct {
	FunctionName         string
	Code                 source
	Publish              bool
	PublishTo            string
	PackageType          string
	Architectures        []string
	Tags                 map[string]string
	CodeSigningConfigArn string
	TenancyConfig        *tenancyConfig
	settings
}

// https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
func createFunction(a *API, r *request, in *createInput) (*configuration, error) {
	name, err := a.findWhole(in.FunctionName)
	if errors.Is(err, function.ErrLongName) {
		err = invalid("1 validation error detected: Value '" + in.FunctionName + "' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 64")
	}
	if err != nil {
		return nil, err
	}
	switch {
	case in.PackageType == "Image":
		err = invalid("PackageType Image is not supported: functions are zip archives here, not container images.")
	case in.PublishTo != "":
		err = invalid("PublishTo is not supported: there are no capacity providers here.")
	default:
		err = cmp.Or(a.checkRuntime(in.Runtime), a.refuseSettings(&in.settings, name), a.checkRole(r.Context(), in.Role), a.checkArchitectures(in.Architectures, name), checkTags(in.Tags))
		if err == nil && in.TenancyConfig != nil && in.TenancyConfig.TenantIsolationMode != "" {
			err = a.ignore("tenancy_config", name)
		}
	}
	if err != nil {
		return nil, err
	}
	exists := exception("ResourceConflictException", "Function already exist: "+name)
	// Before the code is unpacked; the registry decides.
	if _, err := a.Registry.Version(r.Context(), name, function.Latest); err == nil {
		return nil, exists
	}
	v := registry.Version{FunctionName: name, Version: function.Latest, Configuration: registry.Configuration{
		PackageType: "Zip", Architectures: []string{architecture()},
		MemorySize: function.DefaultMemoryMB, Timeout: int(function.DefaultTimeout.Seconds()), EphemeralStorage: function.DefaultEphemeralStorageMB,
	}}
	if err := in.apply(&v.Configuration); err != nil {
		return nil, err
	}
	if len(in.Architectures) > 0 {
		v.Architectures = in.Architectures
	}
	if in.TenancyConfig != nil {
		v.TenantIsolationMode = in.TenancyConfig.TenantIsolationMode
	}
	v.SourceKMSKeyArn = in.Code.SourceKMSKeyArn
	if err := a.checkVersion(r, &v); err != nil {
		return nil, err
	}
	if err := a.checkSigned(r, in.CodeSigningConfigArn, name); err != nil {
		return nil, err
	}
	if v.Layers, err = a.layers(r, in.Layers); err != nil {
		return nil, err
	}
	if v.Code, err = a.receive(r, &in.Code); err != nil {
		return nil, err
	}
	if err := a.checkSize(v.Code, v.Layers); err != nil {
		return nil, err
	}
	if in.Publish { // both or neither
		if err := a.Registry.CheckCodeQuota(r.Context(), 2*v.Code.Size); err != nil {
			return nil, err
		}
	}
	created, err := a.Registry.Create(r.Context(), name, v.Configuration, v.Code, ready, in.Tags)
	if errors.Is(err, registry.ErrConflict) {
		err = exists
	}
	if err == nil && in.CodeSigningConfigArn != "" {
		err = a.sign(r, name, in.CodeSigningConfigArn)
	}
	if err != nil {
		return nil, err
	}
	if !in.Publish {
		return a.configurationOf(&created, "").created(), nil
	}
	published, err := a.Registry.Publish(r.Context(), name, registry.PublishRequest{RevisionID: created.RevisionID})
	if err != nil {
		return nil, err
	}
	return a.configurationOf(&published, "").created(), nil // the function's own ARN, at AWS too
}

type updateCodeInput struct {
	FunctionName, RevisionId string
	source
	Architectures   []string
	Publish, DryRun bool
	PublishTo       string
}

// https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionCode.html
func updateFunctionCode(a *API, r *request, in *updateCodeInput) (*configuration, error) {
	name, err := a.findWhole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	if in.PublishTo != "" {
		return nil, invalid("PublishTo is not supported: there are no capacity providers here.")
	}
	if err := a.checkArchitectures(in.Architectures, name); err != nil {
		return nil, err
	}
	f := reference{name: name}
	if _, err := a.version(r, f); err != nil {
		return nil, err
	}
	if a.Registry.ReadOnly(name) {
		return nil, registry.ErrReadOnly
	}
	signing, err := a.signingOf(r, name)
	if err == nil {
		err = a.checkSigned(r, signing, name)
	}
	if err != nil {
		return nil, err
	}
	stored, err := a.receive(r, &in.source)
	if err != nil {
		return nil, err
	}
	change := func(v *registry.Version) error {
		before := v.Code
		v.Code = stored
		if len(in.Architectures) > 0 {
			v.Architectures = in.Architectures
		}
		v.SourceKMSKeyArn = in.SourceKMSKeyArn
		v.State = ready
		if in.Publish && stored != before { // both or neither
			if err := a.Registry.CheckCodeQuota(r.Context(), stored.Size+max(0, stored.Size-before.Size)); err != nil {
				return err
			}
		}
		return a.checkSize(v.Code, v.Layers)
	}
	if in.DryRun {
		v, err := a.version(r, f)
		if err != nil {
			return nil, err
		}
		if in.RevisionId != "" && in.RevisionId != v.RevisionID {
			return nil, registry.ErrPrecondition
		}
		would := *v
		err = change(&would)
		return a.configurationOf(&would, ""), err
	}
	v, err := a.Registry.Update(r.Context(), name, in.RevisionId, change)
	if err != nil {
		return nil, a.notFound(err, f)
	}
	a.refresh(r.Context(), name, function.Latest)
	if !in.Publish {
		return a.configurationOf(&v, "").updating(), nil
	}
	published, err := a.Registry.Publish(r.Context(), name, registry.PublishRequest{RevisionID: v.RevisionID})
	if err != nil {
		return nil, err
	}
	return a.configurationOf(&published, published.Version).pending(), nil
}

type (
	functionOutput struct {
		Configuration *configuration
		Code          codeLocation
		Tags          map[string]string  `json:",omitempty"`
		Concurrency   *concurrencyOutput `json:",omitempty"`
	}
	codeLocation struct {
		RepositoryType string `json:",omitempty"`
		Location       string `json:",omitempty"`

		SourceKMSKeyArn string `json:",omitempty"`
	}
)

// definedIn is the tag of functions that cannot be changed here.
const definedIn = "hearth:defined-in"

// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html
func getFunction(a *API, r *request, in *functionInput) (*functionOutput, error) {
	f, err := a.find(in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	v, err := a.version(r, f)
	if err != nil {
		return nil, err
	}
	out := &functionOutput{Configuration: a.configurationOf(v, f.qualifier)}
	if v.Code.SHA256 != "" {
		out.Code.RepositoryType, out.Code.SourceKMSKeyArn = "S3", v.SourceKMSKeyArn
		if out.Code.Location, err = a.link(r.Request, v.Code); err != nil {
			return nil, err
		}
	}
	if out.Tags, err = a.tags(r, f.name); err != nil {
		return nil, err
	}
	out.Concurrency, err = a.concurrency(r, f.name)
	return out, err
}

type listFunctionsInput struct {
	MasterRegion, FunctionVersion, Marker string
	MaxItems                              int
}

type functionsOutput struct {
	Functions  []*configuration
	NextMarker string `json:",omitempty"`
}

// maxFunctions is how many functions a page has at most, whatever was asked for.
// https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html
const maxFunctions = 50

// https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html
func listFunctions(a *API, r *request, in *listFunctionsInput) (*functionsOutput, error) {
	if in.MasterRegion != "" {
		return nil, invalid("MasterRegion is not supported: there are no functions of Lambda@Edge here.")
	}
	limit := min(orDefault(in.MaxItems, maxFunctions), maxFunctions)
	if in.FunctionVersion == "ALL" {
		return a.listAll(r, in.Marker, limit)
	}
	page, next, err := a.Registry.Functions(r.Context(), in.Marker, limit)
	if err != nil {
		return nil, err
	}
	out := &functionsOutput{Functions: make([]*configuration, len(page)), NextMarker: next}
	for i, v := range page {
		out.Functions[i] = a.configurationOf(v, "").listed()
	}
	return out, nil
}

// listAll lists all versions of all functions; the marker is NAME:VERSION of the
// last one.
func (a *API) listAll(r *request, marker string, limit int) (*functionsOutput, error) {
	out := &functionsOutput{Functions: []*configuration{}}
	name, after, _ := strings.Cut(marker, ":")
	for {
		if name != "" {
			versions, next, err := a.Registry.Versions(r.Context(), name, after, limit-len(out.Functions))
			// A function that was deleted since has no more versions.
			if err != nil && !errors.Is(err, registry.ErrNotFound) {
				return nil, err
			}
			for _, v := range versions {
				out.Functions = append(out.Functions, a.configurationOf(v, v.Version).listed())
			}
			if next != "" {
				out.NextMarker = name + ":" + next
				return out, nil
			}
		}
		page, _, err := a.Registry.Functions(r.Context(), name, 1)
		if err != nil || len(page) == 0 {
			return out, err
		}
		if len(out.Functions) == limit {
			last := out.Functions[limit-1]
			out.NextMarker = last.FunctionName + ":" + last.Version
			return out, nil
		}
		name, after = page[0].FunctionName, ""
	}
}

// https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunction.html
func deleteFunction(a *API, r *request) error {
	var in functionInput
	if err := r.read(&in); err != nil {
		return err
	}
	f, err := a.find(in.FunctionName, in.Qualifier)
	if f.qualifier != "" && !function.ValidQualifier(f.qualifier) { // recorded from AWS: it names the function alone
		err = a.notFound(registry.ErrNotFound, reference{name: f.name})
	}
	if err != nil {
		return err
	}
	switch {
	case f.qualifier == "":
		err = a.Registry.Delete(r.Context(), f.name)
	case f.qualifier == function.Latest:
		return invalid("$LATEST version cannot be deleted without deleting the function.")
	case !isNumber(f.qualifier):
		return invalid("Deletion of aliases is not currently supported.")
	default:
		err = a.Registry.DeleteVersion(r.Context(), f.name, f.qualifier)
		if errors.Is(err, registry.ErrNotFound) {
			// AWS does not mind, as long as there is the function.
			_, err = a.version(r, reference{name: f.name})
		}
	}
	if err != nil {
		return a.notFound(err, f)
	}
	a.refresh(r.Context(), f.name, f.orLatest())
	r.w.WriteHeader(http.StatusNoContent)
	return nil
}

// https://docs.aws.amazon.com/lambda/latest/api/API_GetAccountSettings.html
func getAccountSettings(a *API, r *request, _ *none) (*accountOutput, error) {
	reserved, err := a.reservedBy(r, "")
	if err != nil {
		return nil, err
	}
	out := &accountOutput{AccountLimit: accountLimit{
		TotalCodeSize: a.Registry.CodeQuota(), CodeSizeUnzipped: code.MaxUnpacked, CodeSizeZipped: code.MaxUpload,
		ConcurrentExecutions: a.Concurrency, UnreservedConcurrentExecutions: a.Concurrency - reserved,
	}}
	if out.AccountUsage.TotalCodeSize, err = a.Registry.CodeSize(r.Context()); err != nil {
		return nil, err
	}
	const step = 1000
	for after := ""; ; {
		page, next, err := a.Registry.Functions(r.Context(), after, step)
		if err != nil {
			return nil, err
		}
		out.AccountUsage.FunctionCount += len(page)
		if after = next; after == "" {
			return out, nil
		}
	}
}

type (
	accountOutput struct {
		AccountLimit accountLimit
		AccountUsage struct {
			TotalCodeSize int64
			FunctionCount int
		}
	}
	accountLimit struct {
		TotalCodeSize, CodeSizeUnzipped, CodeSizeZipped      int64
		ConcurrentExecutions, UnreservedConcurrentExecutions int
	}
)
