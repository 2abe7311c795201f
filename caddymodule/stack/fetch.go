package stack

import (
	"context"
	"net/url"
	"regexp"
	"strings"
)

// maxTemplateFile is AWS's limit of a template in a bucket, in bytes.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
const maxTemplateFile = 1_048_576

// Fetch reads a template by its address, from the bucket of artefacts, as whoever asks for it.
func (e *Engine) Fetch(ctx context.Context, by Identity, address string) (string, error) {
	bucket, key, version, err := placeOf(address)
	if err != nil {
		return "", err
	}
	data, err := e.Services().Open(ctx, by.key(), bucket, key, version)
	if err != nil {
		return "", invalid("S3 error: %s", err)
	}
	if len(data) > maxTemplateFile {
		return "", invalid("Template may not exceed %d bytes in size.", maxTemplateFile)
	}
	return string(data), nil
}

// bucketHost is a host's name that begins with a bucket.
var bucketHost = regexp.MustCompile(`^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\.s3[.-]`)

// placeOf reads the address of a template: its bucket and key. The host says nothing, but for a
// bucket in front of it, for tools write the host of AWS.
func placeOf(address string) (bucket, key, version string, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" && u.Scheme != "s3" || u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "s3" {
		return "", "", "", invalid("TemplateURL must be a supported URL.")
	}
	path := strings.TrimPrefix(u.Path, "/")
	version = u.Query().Get("versionId")
	if host := bucketHost.FindStringSubmatch(u.Host); host != nil {
		return host[1], path, version, nil
	}
	if u.Scheme == "s3" {
		return u.Host, path, version, nil
	}
	bucket, key, found := strings.Cut(path, "/")
	if !found || bucket == "" || key == "" {
		return "", "", "", invalid("TemplateURL must reference a valid S3 object to which you have access.")
	}
	return bucket, key, version, nil
}
