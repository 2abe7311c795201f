package stack

import (
	"context"
	"net/url"
	"slices"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/stack/transform"
)

// expand applies the transforms of a template; nil if it has none.
func (e *Engine) expand(ctx context.Context, document map[string]any, in *Request, values map[string]string) (map[string]any, error) {
	if !transform.Needed(document) {
		return nil, nil
	}
	if in.Direct && !slices.Contains(in.Capabilities, autoExpand) {
		return nil, &awsapi.Exception{Name: "InsufficientCapabilitiesException", Message: "Requires capabilities : [" + autoExpand + "]"}
	}
	if in.At.IsZero() {
		in.At = e.now()
	}
	return transform.Apply(document, transform.Input{
		Parameters: values, Region: e.account().Region, Now: in.At,
		Include: func(location string) ([]byte, error) {
			u, err := url.Parse(location)
			if err != nil || u.Scheme != "s3" || u.Host == "" || len(u.Path) < 2 {
				return nil, invalid("The location parameter is not a valid S3 uri.")
			}
			return e.Services().Open(ctx, in.By.key(), u.Host, u.Path[1:], u.Query().Get("versionId"))
		},
	})
}

// autoExpand is the capability that transforms need where no change set shows what they make.
const autoExpand = "CAPABILITY_AUTO_EXPAND"
