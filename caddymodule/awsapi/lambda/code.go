package lambda

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"strconv"

	"github.com/hearthfn/hearth/warmpool/code"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// source is where a request says code is. ZipFile is nil if it was not given.
type source struct {
	ZipFile                          []byte
	S3Bucket, S3Key, S3ObjectVersion string
	S3ObjectStorageMode              string
	ImageUri, SourceKMSKeyArn        string
}

// receive stores and unpacks the code of a request.
func (a *API) receive(r *request, s *source) (registry.Code, error) {
	switch {
	case s.ImageUri != "":
		return registry.Code{}, invalid("ImageUri is not supported: functions are zip archives here, not container images.")
	case s.S3ObjectStorageMode != "" && s.S3ObjectStorageMode != "COPY":
		return registry.Code{}, invalid("S3ObjectStorageMode " + s.S3ObjectStorageMode + " is not supported: code is copied.")
	case s.ZipFile != nil && s.S3Bucket != "":
		return registry.Code{}, invalid("Please do not provide other FunctionCode parameters when providing a ZipFile.")
	}
	if s.SourceKMSKeyArn != "" {
		if err := a.ignore("source_kms_key_arn", ""); err != nil {
			return registry.Code{}, err
		}
	}
	archive, err := a.store(r, s)
	if err != nil {
		return registry.Code{}, err
	}
	if _, err := a.Code.Unpack(r.Context(), archive.Digest); err != nil {
		return registry.Code{}, err
	}
	return registry.Code{SHA256: archive.Digest.Base64(), Size: archive.Size}, nil
}

func (a *API) store(r *request, s *source) (code.Archive, error) {
	if s.ZipFile != nil {
		return a.Code.Add(r.Context(), bytes.NewReader(s.ZipFile), code.MaxUpload)
	}
	if s.S3Bucket == "" || s.S3Key == "" {
		return code.Archive{}, invalid("Please provide a source for function code.")
	}
	if a.Bucket == nil {
		return code.Archive{}, invalid("S3Bucket is not supported: the nodes of a cluster keep no objects, and this server has no s3 configured. Send the code as ZipFile.")
	}
	object, err := a.Bucket.Open(r.Context(), s.S3Bucket, s.S3Key, s.S3ObjectVersion)
	var refused *S3Error
	if errors.As(err, &refused) {
		return code.Archive{}, invalid("Error occurred while GetObject. S3 Error Code: " + refused.Code + ". S3 Error Message: " + refused.Message)
	}
	if err != nil {
		return code.Archive{}, err
	}
	archive, err := a.Code.Add(r.Context(), object, code.MaxArchive)
	if errors.Is(err, code.ErrTooLarge) {
		err = invalid("Unzipped size must be smaller than " + strconv.Itoa(code.MaxUnpacked) + " bytes")
	}
	return archive, errors.Join(err, object.Close())
}

// checkSize holds a function and its layers together to the limit that each has
// alone already.
func (a *API) checkSize(function registry.Code, layers []registry.Layer) error {
	if len(layers) == 0 {
		return nil
	}
	total, err := a.unpackedSize(function)
	for _, layer := range layers {
		size, layerErr := a.unpackedSize(layer.Code)
		total, err = total+size, errors.Join(err, layerErr)
	}
	if err == nil && total > code.MaxUnpacked {
		err = invalid("Function code combined with layers exceeds the maximum allowed size of " + strconv.Itoa(code.MaxUnpacked) +
			" bytes. The actual size is " + strconv.FormatInt(total, 10) + " bytes.")
	}
	return err
}

func (a *API) unpackedSize(c registry.Code) (total int64, err error) {
	digest, err := code.DigestOf(c.SHA256)
	if err != nil {
		return 0, err
	}
	err = filepath.WalkDir(a.Code.Tree(digest), func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}
