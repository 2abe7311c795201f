package lambda

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

type (
	publishers   struct{ SigningProfileVersionArns []string }
	signPolicies struct{ UntrustedArtifactOnDeployment string }

	codeSigningConfig struct {
		CodeSigningConfigId  string
		CodeSigningConfigArn string
		Description          string
		AllowedPublishers    publishers
		CodeSigningPolicies  signPolicies
		LastModified         string
	}
	codeSigningInput struct {
		CodeSigningConfigArn string
		Description          *string
		AllowedPublishers    *publishers
		CodeSigningPolicies  *signPolicies
		Tags                 map[string]string
		FunctionName, Marker string
		MaxItems             int
	}
	codeSigningOutput  struct{ CodeSigningConfig *codeSigningConfig }
	codeSigningsOutput struct {
		CodeSigningConfigs []*codeSigningConfig
		NextMarker         string `json:",omitempty"`
	}
	functionCodeSigningOutput struct {
		CodeSigningConfigArn string `json:",omitempty"`
		FunctionName         string `json:",omitempty"`
	}
	functionARNsOutput struct {
		FunctionArns []string
		NextMarker   string `json:",omitempty"`
	}
)

// maxSignings is how many of either listing a page has at most.
const maxSignings = 10000

func (a *API) signingARN(id string) string {
	return "arn:aws:lambda:" + a.Account.Region + ":" + a.Account.ID + ":code-signing-config:" + id
}

// signingID is the ID in the ARN of a code signing configuration of this account, "" if
// it is none.
func (a *API) signingID(arn string) string {
	id, ok := strings.CutPrefix(arn, a.signingARN(""))
	if !ok {
		return ""
	}
	return id
}

func (a *API) codeSigningOf(c registry.CodeSigning) *codeSigningConfig {
	return &codeSigningConfig{
		CodeSigningConfigId: c.ID, CodeSigningConfigArn: a.signingARN(c.ID), Description: c.Description,
		AllowedPublishers: publishers{list(c.Publishers)}, CodeSigningPolicies: signPolicies{c.Policy}, LastModified: c.LastModified.UTC().Format(lambdaTime),
	}
}

// missingSigning is what the operations on code signing configurations say. AWS gives it
// without a Type.
func missingSigning(err error, arn string) error {
	if errors.Is(err, registry.ErrNotFound) {
		return &Exception{Name: "ResourceNotFoundException", Message: "The Lambda code signing configuration " + arn + " can not be found.", untyped: true}
	}
	return err
}

func (in *codeSigningInput) apply(c *registry.CodeSigning) {
	set(&c.Description, in.Description)
	if in.AllowedPublishers != nil {
		c.Publishers = in.AllowedPublishers.SigningProfileVersionArns
	}
	if in.CodeSigningPolicies != nil {
		c.Policy = cmp.Or(in.CodeSigningPolicies.UntrustedArtifactOnDeployment, c.Policy)
	}
}

// https://docs.aws.amazon.com/lambda/latest/api/API_CreateCodeSigningConfig.html
func createCodeSigningConfig(a *API, r *request, in *codeSigningInput) (*codeSigningOutput, error) {
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	c := registry.CodeSigning{Policy: registry.SigningWarn, Tags: in.Tags}
	in.apply(&c)
	c, err := a.Registry.CreateCodeSigning(r.Context(), c)
	return &codeSigningOutput{a.codeSigningOf(c)}, err
}

// https://docs.aws.amazon.com/lambda/latest/api/API_GetCodeSigningConfig.html
func getCodeSigningConfig(a *API, r *request, in *codeSigningInput) (*codeSigningOutput, error) {
	c, err := a.Registry.CodeSigning(r.Context(), a.signingID(in.CodeSigningConfigArn))
	return &codeSigningOutput{a.codeSigningOf(c)}, missingSigning(err, in.CodeSigningConfigArn)
}

// https://docs.aws.amazon.com/lambda/latest/api/API_UpdateCodeSigningConfig.html
func updateCodeSigningConfig(a *API, r *request, in *codeSigningInput) (*codeSigningOutput, error) {
	c, err := a.Registry.UpdateCodeSigning(r.Context(), a.signingID(in.CodeSigningConfigArn), func(c *registry.CodeSigning) error {
		in.apply(c)
		return nil
	})
	return &codeSigningOutput{a.codeSigningOf(c)}, missingSigning(err, in.CodeSigningConfigArn)
}

// https://docs.aws.amazon.com/lambda/latest/api/API_DeleteCodeSigningConfig.html
func deleteCodeSigningConfig(a *API, r *request, in *codeSigningInput) (none, error) {
	err := a.Registry.DeleteCodeSigning(r.Context(), a.signingID(in.CodeSigningConfigArn))
	return none{}, missingSigning(err, in.CodeSigningConfigArn)
}

// page cuts what comes after marker, in the order of names, to a page; name is that of
// an item.
func page[T any](all []T, name func(T) string, marker string, limit int) (items []T, next string) {
	slices.SortFunc(all, func(x, y T) int { return strings.Compare(name(x), name(y)) })
	if limit < 1 {
		limit = maxSignings
	}
	for _, item := range all {
		if name(item) <= marker {
			continue
		}
		if len(items) == limit {
			return items, name(items[limit-1])
		}
		items = append(items, item)
	}
	return items, ""
}

// https://docs.aws.amazon.com/lambda/latest/api/API_ListCodeSigningConfigs.html
func listCodeSigningConfigs(a *API, r *request, in *codeSigningInput) (*codeSigningsOutput, error) {
	all, err := a.Registry.CodeSignings(r.Context())
	if err != nil {
		return nil, err
	}
	out := &codeSigningsOutput{CodeSigningConfigs: []*codeSigningConfig{}}
	all, out.NextMarker = page(all, func(c registry.CodeSigning) string { return c.ID }, in.Marker, in.MaxItems)
	for _, c := range all {
		out.CodeSigningConfigs = append(out.CodeSigningConfigs, a.codeSigningOf(c))
	}
	return out, nil
}

// https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctionsByCodeSigningConfig.html
func listFunctionsByCodeSigningConfig(a *API, r *request, in *codeSigningInput) (*functionARNsOutput, error) {
	id := a.signingID(in.CodeSigningConfigArn)
	if _, err := a.Registry.CodeSigning(r.Context(), id); err != nil {
		return nil, missingSigning(err, in.CodeSigningConfigArn)
	}
	names, err := a.Registry.Signed(r.Context(), id)
	if err != nil {
		return nil, err
	}
	out := &functionARNsOutput{FunctionArns: []string{}}
	names, out.NextMarker = page(names, func(name string) string { return name }, in.Marker, in.MaxItems)
	for _, name := range names {
		out.FunctionArns = append(out.FunctionArns, a.Account.ARN(name, ""))
	}
	return out, nil
}

// https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionCodeSigningConfig.html
func putFunctionCodeSigningConfig(a *API, r *request, in *codeSigningInput) (*functionCodeSigningOutput, error) {
	name, err := a.findWhole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	if _, err := a.signing(r, in.CodeSigningConfigArn); err != nil {
		return nil, err
	}
	if err := a.sign(r, name, in.CodeSigningConfigArn); err != nil {
		return nil, a.notFound(err, reference{name: name})
	}
	return &functionCodeSigningOutput{in.CodeSigningConfigArn, name}, nil
}

// sign gives a function a code signing configuration.
func (a *API) sign(r *request, name, arn string) error {
	_, err := a.Registry.Signing.Put(r.Context(), name, function.Latest, func(s *registry.Signing, _ bool) error {
		s.ConfigID = a.signingID(arn)
		return nil
	})
	return err
}

// signing is a code signing configuration that a function is to have.
func (a *API) signing(r *request, arn string) (registry.CodeSigning, error) {
	c, err := a.Registry.CodeSigning(r.Context(), a.signingID(arn))
	if errors.Is(err, registry.ErrNotFound) {
		err = exception("CodeSigningConfigNotFoundException",
			"The code signing configuration cannot be found. Check that the provided configuration is not deleted: "+arn+".")
	}
	return c, err
}

// signingOf is the ARN of the code signing configuration of a function, "" if it has
// none.
func (a *API) signingOf(r *request, name string) (string, error) {
	s, err := a.Registry.Signing.Read(r.Context(), name, function.Latest)
	if errors.Is(err, registry.ErrNotFound) {
		return "", nil
	}
	return a.signingARN(s.ConfigID), err
}

// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionCodeSigningConfig.html
func getFunctionCodeSigningConfig(a *API, r *request, in *functionInput) (*functionCodeSigningOutput, error) {
	name, err := a.findWhole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	if _, err := a.version(r, reference{name: name}); err != nil {
		return nil, err
	}
	arn, err := a.signingOf(r, name)
	if arn == "" {
		return &functionCodeSigningOutput{}, err // recorded: without a name either
	}
	return &functionCodeSigningOutput{arn, name}, err
}

// https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunctionCodeSigningConfig.html
func deleteFunctionCodeSigningConfig(a *API, r *request, in *functionInput) (none, error) {
	name, err := a.findWhole(in.FunctionName)
	if err != nil {
		return none{}, err
	}
	if _, err := a.version(r, reference{name: name}); err != nil {
		return none{}, err
	}
	err = a.Registry.Signing.Delete(r.Context(), name, function.Latest, nil)
	if errors.Is(err, registry.ErrNotFound) {
		err = nil // recorded: that there is none is no error
	}
	return none{}, err
}

// checkSigned says whether a function with a code signing configuration, if it has one,
// may get code or layers. How AWS Signer signs is not public, so no signature can be
// verified here: to Enforce them is to take no code.
func (a *API) checkSigned(r *request, arn, name string) error {
	if arn == "" {
		return nil
	}
	c, err := a.signing(r, arn)
	if err != nil {
		return err
	}
	if c.Policy == registry.SigningEnforce {
		return exception("CodeVerificationFailedException", "Lambda cannot deploy the function. "+
			"The function or layer might be signed using a signature that the client is not configured to accept. Check the provided signature for "+name+".")
	}
	a.Log.Warn("code is taken without a verified signature: signatures of AWS Signer are not read here", zap.String("function", name), zap.String("code_signing_config", c.ID))
	return nil
}
