package lambda_test

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	lambdaapi "github.com/hearthfn/hearth/caddymodule/awsapi/lambda"
	"github.com/hearthfn/hearth/warmpool/code"
)

// A bucket has one object, by any key.
type bucket []byte

func (b bucket) Open(context.Context, string, string, string) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(b)), nil
}

// sized is an archive of one file that is so many bytes long by the archive's word.
func sized(t *testing.T, size uint64) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, err := z.CreateRaw(&zip.FileHeader{Name: "index.js", Method: zip.Deflate, CompressedSize64: 1, UncompressedSize64: size})
	check(t, err)
	_, err = f.Write([]byte{3})
	check(t, err)
	check(t, z.Close())
	return b.Bytes()
}

// The limit is the same wherever an archive comes from. The text is AWS's, recorded for an
// archive in S3.
func TestArchiveFromABucketHasTheLimitOfAnUpload(t *testing.T) {
	w := newWorld(t, func(c *lambdaapi.Config) { c.Bucket = bucket(sized(t, code.MaxUnpacked+1)) })
	const text = "Unzipped size must be smaller than 262144000 bytes"
	stored := &types.FunctionCode{S3Bucket: aws.String("bucket"), S3Key: aws.String("key")}
	_, err := w.CreateFunction(t.Context(), &lambda.CreateFunctionInput{FunctionName: aws.String("f"), Role: aws.String(role), Runtime: types.RuntimeNodejs22x, Handler: aws.String("index.handler"), Code: stored})
	refused(t, err, 400, "InvalidParameterValueException", text)
	_, err = w.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("f")})
	refused(t, err, 404, "ResourceNotFoundException", "Function not found: ")
	before := w.create("g")
	_, err = w.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("g"), S3Bucket: stored.S3Bucket, S3Key: stored.S3Key})
	refused(t, err, 400, "InvalidParameterValueException", text)
	after, err := w.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("g")})
	check(t, err)
	if *after.CodeSha256 != *before.CodeSha256 {
		t.Error("code that was refused has replaced the code that was there")
	}
	_, err = w.PublishLayerVersion(t.Context(), &lambda.PublishLayerVersionInput{LayerName: aws.String("l"), Content: &types.LayerVersionContentInput{S3Bucket: stored.S3Bucket, S3Key: stored.S3Key}})
	refused(t, err, 400, "InvalidParameterValueException", text)
}
