package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/spf13/pflag"
)

var rollbackCommand = &Command{
	Use:   "rollback NAME",
	Short: "Make an earlier version what runs again",
	Long: `Gives $LATEST the code and the configuration of the version before the one that it is
now, or of the one that --to names, and publishes that as a new version. Every deploy
publishes a version to go back to. A second rollback goes back one more; --to goes forward
again.`,
	Args: 1, MaxArgs: 1, Names: true,
	Flags: func(f *pflag.FlagSet) { f.String("to", "", "The version to go back to (default: the one before)") },
	Run:   rollback,
}

// A rolledBack is the output of rollback.
type rolledBack struct {
	Name    string `json:"name"`
	From    string `json:"from"`    // the version that ran
	To      string `json:"to"`      // the version it is again
	Version string `json:"version"` // the number under which that is published now
}

func rollback(ctx context.Context, c *Context) error {
	t, err := c.target()
	if err != nil {
		return err
	}
	api, name := t.lambda(), c.Flags.Arg(0)
	versions, err := publishedVersions(ctx, api, name)
	if err != nil {
		return err
	}
	out := rolledBack{Name: name}
	latest := versions[0]
	if now := slices.IndexFunc(versions[1:], func(v types.FunctionConfiguration) bool { return same(&v, &latest) }); now >= 0 {
		out.From = aws.ToString(versions[1+now].Version)
	}
	to, err := choose(versions, c.text("to"))
	if err != nil {
		return err
	}
	out.To = aws.ToString(to.Version)
	c.say("%s version %s of %s", c.Err.dim("restoring"), out.To, name)
	code, err := download(ctx, t, api, name, out.To)
	if err != nil {
		return err
	}
	if len(code) > maxZip { // before anything changes
		return fmt.Errorf("the code of version %s is over the %d MB that a request may have: give it to $LATEST from its bucket, by aws lambda update-function-code", out.To, maxZip>>20)
	}
	restored := &lambda.UpdateFunctionConfigurationInput{
		FunctionName: &name, Runtime: to.Runtime, Handler: to.Handler, Role: to.Role, MemorySize: to.MemorySize, Timeout: to.Timeout,
		Description: aws.String(aws.ToString(to.Description)), EphemeralStorage: to.EphemeralStorage, Layers: []string{},
		Environment: &types.Environment{Variables: map[string]string{}},
	}
	if to.Environment != nil {
		restored.Environment.Variables = to.Environment.Variables
	}
	for _, l := range to.Layers {
		restored.Layers = append(restored.Layers, aws.ToString(l.Arn))
	}
	if _, err := api.UpdateFunctionConfiguration(ctx, restored); err != nil {
		return err
	}
	if err := waitUpdated(ctx, api, name); err != nil {
		return err
	}
	published, err := api.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: &name, ZipFile: code, Publish: true})
	if err != nil {
		return err
	}
	out.Version = aws.ToString(published.Version)
	if err := waitUpdated(ctx, api, name); err != nil {
		return err
	}
	return c.print(out, func(w io.Writer) {
		fmt.Fprintf(w, "%s runs version %s again, now as version %s\n", c.Out.bold(name), out.To, out.Version)
	})
}

// publishedVersions are $LATEST and the published ones, the newest first.
func publishedVersions(ctx context.Context, api *lambda.Client, name string) ([]types.FunctionConfiguration, error) {
	var all []types.FunctionConfiguration
	pages := lambda.NewListVersionsByFunctionPaginator(api, &lambda.ListVersionsByFunctionInput{FunctionName: &name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Versions...)
	}
	slices.Reverse(all[1:])
	return all, nil
}

// choose finds the version that was asked for, or the one before what $LATEST is.
func choose(versions []types.FunctionConfiguration, wanted string) (*types.FunctionConfiguration, error) {
	latest := &versions[0]
	if aws.ToString(latest.CodeSha256) == "" && len(versions) == 1 {
		return nil, fmt.Errorf("%s is defined in the Caddyfile, and has no versions: change it there", aws.ToString(latest.FunctionName))
	}
	if wanted == "" {
		if v := before(versions); v != nil {
			return v, nil
		}
		return nil, fmt.Errorf("%s has no earlier version to go back to; --to takes any", aws.ToString(latest.FunctionName))
	}
	for i := range versions[1:] {
		if v := &versions[1+i]; aws.ToString(v.Version) == wanted {
			return v, nil
		}
	}
	if _, err := strconv.Atoi(wanted); err != nil {
		return nil, usage("--to takes the number of a version, not %q", wanted)
	}
	return nil, fmt.Errorf("%s has no version %s", aws.ToString(latest.FunctionName), wanted)
}

// before finds the version before the present state of $LATEST. If a version equals an earlier
// one, it was a rollback, so the versions in between do not count: a second rollback must go
// further back, and not forward.
func before(versions []types.FunctionConfiguration) *types.FunctionConfiguration {
	var line []*types.FunctionConfiguration // what became of what, the last one is now
	for i := len(versions) - 1; i >= 0; i-- {
		v := &versions[i] // the oldest first, $LATEST at the end
		if known := slices.IndexFunc(line, func(earlier *types.FunctionConfiguration) bool { return same(earlier, v) }); known >= 0 {
			line = line[:known]
		}
		line = append(line, v)
	}
	if len(line) < 2 {
		return nil
	}
	return line[len(line)-2]
}

// same reports whether a version is what another one is.
func same(a, b *types.FunctionConfiguration) bool {
	variables := func(f *types.FunctionConfiguration) map[string]string {
		if f.Environment == nil {
			return nil
		}
		return f.Environment.Variables
	}
	layers := func(f *types.FunctionConfiguration) (arns []string) {
		for _, l := range f.Layers {
			arns = append(arns, aws.ToString(l.Arn))
		}
		return arns
	}
	tmp := func(f *types.FunctionConfiguration) int32 {
		if f.EphemeralStorage == nil {
			return 0
		}
		return aws.ToInt32(f.EphemeralStorage.Size)
	}
	return aws.ToString(a.CodeSha256) == aws.ToString(b.CodeSha256) && a.Runtime == b.Runtime && aws.ToString(a.Handler) == aws.ToString(b.Handler) &&
		aws.ToInt32(a.MemorySize) == aws.ToInt32(b.MemorySize) && aws.ToInt32(a.Timeout) == aws.ToInt32(b.Timeout) &&
		maps.Equal(variables(a), variables(b)) && slices.Equal(layers(a), layers(b)) && tmp(a) == tmp(b)
}

// download fetches the code of a version.
func download(ctx context.Context, t *target, api *lambda.Client, name, version string) ([]byte, error) {
	f, err := api.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &name, Qualifier: &version})
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, aws.ToString(f.Code.Location), nil)
	if err != nil {
		return nil, err
	}
	answer, err := t.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("download the code of version %s: %s", version, answer.Status)
	}
	return io.ReadAll(io.LimitReader(answer.Body, maxDownload))
}

// maxDownload is Lambda's limit of an archive, in bytes.
const maxDownload = 262_144_000
