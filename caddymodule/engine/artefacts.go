package engine

import (
	"context"
	"errors"
	"io"
	"net/url"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi/lambda"
	"github.com/hearthfn/hearth/caddymodule/awsapi/s3"
	"github.com/hearthfn/hearth/caddymodule/awsapi/s3/artefact"
)

// S3 makes the part of S3 that deployments need. nil: a configured store is there for them, or
// several nodes share one state, and what is uploaded would be on one of them alone.
func (s *Setup) S3(log *zap.Logger) (*s3.API, error) {
	if s.engine.artefacts == nil || s.services.Bucket() != nil {
		return nil, nil
	}
	verifier, err := s.Verifier()
	if err != nil {
		return nil, err
	}
	s.calls.s3 = s3.New(s3.Config{Store: s.engine.artefacts, Verifier: verifier, Access: s.Access(), Account: s.Account, Refusals: &s.refusals, Log: log})
	return s.calls.s3, nil
}

// PassedS3 passes requests on to the S3 of the settings. nil: they have none with an address.
func (s *Setup) PassedS3(log *zap.Logger) (*s3.Passage, error) {
	of := s.Services.S3
	if of == nil || of.Address() == nil {
		return nil, nil
	}
	verifier, err := s.Verifier()
	if err != nil {
		return nil, err
	}
	to := s3.Backend{Endpoint: of.Address(), Region: of.Region}
	if of.Credentials.AccessKeyID != "" {
		to.Credentials = of
	}
	if of.Notify != "" {
		to.Notify = &s3.Notify{Target: of.Notify, Store: s.engine.notifications, Check: s.mayNotify}
	}
	s.calls.passedS3 = s3.NewPassage(s3.Config{Verifier: verifier, Access: s.Access(), Account: s.Account, Refusals: &s.refusals, Log: log}, to, func() string {
		u, err := url.Parse(s.addresses.API)
		if err != nil {
			return ""
		}
		return u.Hostname()
	})
	return s.calls.passedS3, nil
}

// uploaded are the objects that deployments have uploaded, as code of functions.
type uploaded struct{ store *artefact.Store }

// Open implements lambda.Bucket.
func (u uploaded) Open(_ context.Context, bucket, key, version string) (io.ReadCloser, error) {
	if version != "" && version != "null" {
		return nil, &lambda.S3Error{Code: "NoSuchVersion", Message: "The specified version does not exist."}
	}
	o, err := u.store.Object(bucket, key)
	var content *artefact.Content
	if err == nil {
		content, err = u.store.Content(o.Blob, 0)
	}
	switch {
	case errors.Is(err, artefact.ErrNoBucket):
		return nil, &lambda.S3Error{Code: "NoSuchBucket", Message: "The specified bucket does not exist"}
	case errors.Is(err, artefact.ErrNoObject):
		return nil, &lambda.S3Error{Code: "NoSuchKey", Message: "The specified key does not exist."}
	case err != nil:
		return nil, err
	}
	return content, nil
}
