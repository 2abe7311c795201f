package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/dustin/go-humanize"
)

// artefacts uploads what templates name. The key of an object is its digest, so that what is there
// already is not sent again.
type artefacts struct {
	*Context
	target *target
	bucket string // "" until something is uploaded
}

// put uploads data, and returns where it is. what is the data's name for a person.
func (a *artefacts) put(ctx context.Context, what string, data []byte, extension string) (bucket, key string, err error) {
	if err := a.makeBucket(ctx); err != nil {
		return "", "", err
	}
	sum := sha256.Sum256(data)
	key = hex.EncodeToString(sum[:]) + extension
	return a.bucket, key, a.upload(ctx, what, data, a.bucket, key)
}

// makeBucket makes the bucket of this command, whose name no other account has.
func (a *artefacts) makeBucket(ctx context.Context) error {
	if a.bucket != "" {
		return nil
	}
	account, err := a.target.account(ctx)
	if err != nil {
		return err
	}
	bucket := "hearth-artefacts-" + account + "-" + a.target.region
	if _, err := a.target.s3().HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket}); err != nil {
		if !notFound(err) {
			return err
		}
		if _, err := a.target.s3().CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			return err
		}
	}
	a.bucket = bucket
	return nil
}

func (a *artefacts) upload(ctx context.Context, what string, data []byte, bucket, key string) error {
	api := a.target.s3()
	_, err := api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	if err == nil || !notFound(err) {
		return err
	}
	a.say("%s %s, %s", a.Err.dim("uploading"), what, humanize.IBytes(uint64(len(data))))
	if _, err := api.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(data)}); err != nil {
		return fmt.Errorf("uploading %s: %w", what, err)
	}
	return nil
}

// notFound reports whether S3 has no such bucket or object. HEAD has no body that says which.
func notFound(err error) bool {
	var refused smithy.APIError
	return errors.As(err, &refused) && (refused.ErrorCode() == "NotFound" || strings.HasPrefix(refused.ErrorCode(), "NoSuch"))
}

// objectURL is the address of an object in templates. CloudFormation reads its path alone.
func objectURL(bucket, key string) string { return "https://s3.amazonaws.com/" + bucket + "/" + key }
