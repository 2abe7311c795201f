package s3

import (
	"net/url"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/awsapi/access"
)

// permit asks the policies of a role whether it may call an operation. DeleteObjects asks for
// each object.
func (c *call) permit(op *operation) error {
	if c.check.Key().Role == nil || op.name == "DeleteObjects" {
		return nil
	}
	needs := access.S3(op.name, c.bucket, c.key)
	if source := c.Header.Get("X-Amz-Copy-Source"); source != "" {
		if path, err := url.PathUnescape(source); err == nil {
			source = path
		}
		path, _, _ := strings.Cut(source, "?versionId=") // as source reads it
		bucket, key, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		needs = append(needs, access.S3("GetObject", bucket, key)...)
	}
	return c.may(needs...)
}

func (c *call) may(needs ...access.Need) error {
	return c.api.Access.Check(c.Context(), c.check.Key(), c.Request, needs...)
}
