package lambda

import (
	"slices"
	"strconv"
	"time"

	"github.com/hearthfn/hearth/warmpool/function/registry"
)

type publishLayerInput struct {
	LayerName, Description, LicenseInfo         string
	Content                                     source
	CompatibleArchitectures, CompatibleRuntimes []string
}

type layerOutput struct {
	Content  *layerContent `json:",omitempty"` // not in lists
	LayerArn string        `json:",omitempty"`

	LayerVersionArn         string
	Version                 uint64
	Description             string
	CreatedDate             string
	CompatibleArchitectures []string `json:",omitzero"`
	CompatibleRuntimes      []string `json:",omitzero"`
	LicenseInfo             string   `json:",omitempty"`
}

type layerContent struct {
	Location, CodeSha256 string
	CodeSize             int64
}

// layerItem is a layer version as lists have it.
func (a *API) layerItem(l *registry.LayerVersion) *layerOutput {
	return &layerOutput{
		LayerVersionArn: a.Account.LayerARN(l.Name, l.Version), Version: l.Version, Description: l.Description,
		CreatedDate: l.CreatedDate.UTC().Format(lambdaTime), CompatibleArchitectures: l.CompatibleArchitectures,
		CompatibleRuntimes: l.CompatibleRuntimes, LicenseInfo: l.LicenseInfo,
	}
}

func (a *API) layerOf(r *request, l *registry.LayerVersion) (*layerOutput, error) {
	location, err := a.link(r.Request, l.Code)
	if err != nil {
		return nil, err
	}
	out := a.layerItem(l)
	out.LayerArn = a.Account.LayerARN(l.Name, 0)
	out.Content = &layerContent{location, l.Code.SHA256, l.Code.Size}
	return out, nil
}

// findLayer reads the name or ARN of a layer.
func (a *API) findLayer(layer string) (string, error) {
	name, version, err := a.Account.ParseLayer(layer)
	if err == nil && version != 0 {
		err = invalid("A layer's name or ARN is expected, not a version's: " + layer)
	}
	if err != nil && a.exceptionOf(err) == nil {
		err = invalid(err.Error())
	}
	return name, err
}

// findLayerVersion reads what names a version of a layer.
func (a *API) findLayerVersion(layer string, version int64) (string, uint64, error) {
	if version < 1 {
		return "", 0, invalid("Layer Version Cannot be less than 1")
	}
	name, err := a.findLayer(layer)
	return name, uint64(version), err
}

// https://docs.aws.amazon.com/lambda/latest/api/API_PublishLayerVersion.html
func publishLayerVersion(a *API, r *request, in *publishLayerInput) (*layerOutput, error) {
	name, err := a.findLayer(in.LayerName)
	if err != nil {
		return nil, err
	}
	stored, err := a.receive(r, &in.Content)
	if err != nil {
		return nil, err
	}
	l, err := a.Registry.PublishLayer(r.Context(), registry.LayerVersion{
		Name: name, CreatedDate: time.Now(), Code: stored, Description: in.Description, LicenseInfo: in.LicenseInfo,
		CompatibleRuntimes: in.CompatibleRuntimes, CompatibleArchitectures: in.CompatibleArchitectures,
	})
	if err != nil {
		return nil, err
	}
	return a.layerOf(r, &l)
}

type layerVersionInput struct {
	LayerName, Arn string
	VersionNumber  int64
}

// https://docs.aws.amazon.com/lambda/latest/api/API_GetLayerVersion.html
func getLayerVersion(a *API, r *request, in *layerVersionInput) (*layerOutput, error) {
	name, version, err := a.findLayerVersion(in.LayerName, in.VersionNumber)
	if err != nil {
		return nil, err
	}
	return a.readLayer(r, name, version)
}

func (a *API) readLayer(r *request, name string, version uint64) (*layerOutput, error) {
	l, err := a.Registry.LayerVersion(r.Context(), name, version)
	if err != nil {
		return nil, missing(err, noLayer)
	}
	return a.layerOf(r, &l)
}

const noLayer = "The resource you requested does not exist."

// https://docs.aws.amazon.com/lambda/latest/api/API_GetLayerVersionByArn.html
func getLayerVersionByARN(a *API, r *request, in *layerVersionInput) (*layerOutput, error) {
	name, version, err := a.Account.ParseLayer(in.Arn)
	if err != nil {
		if a.exceptionOf(err) == nil {
			err = invalid(err.Error())
		}
		return nil, err
	}
	return a.readLayer(r, name, version)
}

// https://docs.aws.amazon.com/lambda/latest/api/API_DeleteLayerVersion.html
func deleteLayerVersion(a *API, r *request, in *layerVersionInput) (none, error) {
	name, version, err := a.findLayerVersion(in.LayerName, in.VersionNumber)
	if err != nil {
		return none{}, err
	}
	return none{}, a.Registry.DeleteLayerVersion(r.Context(), name, version)
}

type listLayersInput struct {
	LayerName, CompatibleArchitecture, CompatibleRuntime, Marker string
	MaxItems                                                     int
}

// match takes the versions that fit.
func (in *listLayersInput) match(l *registry.LayerVersion) bool {
	return (in.CompatibleRuntime == "" || slices.Contains(l.CompatibleRuntimes, in.CompatibleRuntime)) &&
		(in.CompatibleArchitecture == "" || slices.Contains(l.CompatibleArchitectures, in.CompatibleArchitecture))
}

type layersOutput struct {
	Layers     []layerListItem
	NextMarker string `json:",omitempty"`
}

type layerListItem struct {
	LayerName, LayerArn   string
	LatestMatchingVersion *layerOutput
}

// https://docs.aws.amazon.com/lambda/latest/api/API_ListLayers.html
func listLayers(a *API, r *request, in *listLayersInput) (*layersOutput, error) {
	page, next, err := a.Registry.Layers(r.Context(), in.Marker, orDefault(in.MaxItems, maxFunctions), in.match)
	if err != nil {
		return nil, err
	}
	out := &layersOutput{Layers: make([]layerListItem, len(page)), NextMarker: next}
	for i := range page {
		out.Layers[i] = layerListItem{page[i].Name, a.Account.LayerARN(page[i].Name, 0), a.layerItem(&page[i])}
	}
	return out, nil
}

type layerVersionsOutput struct {
	LayerVersions []*layerOutput
	NextMarker    string `json:",omitempty"`
}

// https://docs.aws.amazon.com/lambda/latest/api/API_ListLayerVersions.html
func listLayerVersions(a *API, r *request, in *listLayersInput) (*layerVersionsOutput, error) {
	name, err := a.findLayer(in.LayerName)
	if err != nil {
		return nil, err
	}
	var before uint64
	if in.Marker != "" {
		if before, err = strconv.ParseUint(in.Marker, 10, 64); err != nil {
			return nil, invalid("Invalid marker: " + in.Marker)
		}
	}
	limit := orDefault(in.MaxItems, maxFunctions)
	out := &layerVersionsOutput{LayerVersions: []*layerOutput{}}
	for {
		page, next, err := a.Registry.LayerVersions(r.Context(), name, before, limit)
		if err != nil {
			return nil, err
		}
		for i := range page {
			if !in.match(&page[i]) {
				continue
			}
			if len(out.LayerVersions) == limit {
				out.NextMarker = strconv.FormatUint(out.LayerVersions[limit-1].Version, 10)
				return out, nil
			}
			out.LayerVersions = append(out.LayerVersions, a.layerItem(&page[i]))
		}
		if before = next; before == 0 {
			return out, nil
		}
	}
}
