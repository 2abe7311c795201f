package s3

import (
	"encoding/xml"
	"io"
	"net/url"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/awsapi/s3/artefact"
)

// source is the object that a copy is of.
func (c *call) source() (place, error) {
	text, err := url.PathUnescape(c.Header.Get("X-Amz-Copy-Source"))
	if err != nil {
		return place{}, badArgument("Invalid copy source encoding.")
	}
	if path, version, found := strings.Cut(text, "?versionId="); found {
		if version != "null" {
			return place{}, refuse(404, "NoSuchVersion", "The specified version does not exist.")
		}
		text = path
	}
	bucket, key, found := strings.Cut(strings.TrimPrefix(text, "/"), "/")
	if !found || key == "" {
		return place{}, badArgument("Invalid copy source object key")
	}
	return placeAt(bucket, key)
}

// copyObject makes an object with another's content, which is not copied.
func copyObject(c *call) error {
	from, err := c.source()
	if err != nil {
		return err
	}
	if d := c.Header.Get("X-Amz-Tagging-Directive"); d != "" && d != "COPY" {
		return notSupported("The tagging directive " + printable(d) + " (CopyObject)")
	}
	before, err := c.api.Store.Object(from.bucket, from.key)
	if err != nil {
		return err
	}
	if err := checkRead(c.Header, "X-Amz-Copy-Source-", before); err != nil {
		return err
	}
	attributes, err := c.attributes()
	if err != nil {
		return err
	}
	switch directive := c.Header.Get("X-Amz-Metadata-Directive"); directive {
	case "", "COPY":
		if from == c.place {
			return badRequest("This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
		}
		attributes = before.Attributes
	case "REPLACE":
	default:
		return badArgument("Unknown metadata directive.")
	}
	o := &artefact.Object{Attributes: attributes, Key: c.key, Blob: before.Blob, Size: before.Size, ETag: before.ETag, Sum: before.Sum}
	if before.Parts > 0 || wantsOther(c, before.Sum) {
		if err := c.sumAnew(o, before); err != nil {
			return err
		}
	}
	if err := c.api.Store.Put(c.bucket, o, nil, c.allow); err != nil {
		return err
	}
	out := struct {
		XMLName            xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CopyObjectResult"`
		ETag, LastModified string
		sums
	}{ETag: `"` + o.ETag + `"`, LastModified: o.Modified.Format(timeFormat)}
	out.set(o.Sum)
	c.w.Header().Set("X-Amz-Server-Side-Encryption", sseAES)
	return c.answer(out)
}

func wantsOther(c *call, sum artefact.Sum) bool {
	wanted := strings.ToLower(c.Header.Get("X-Amz-Checksum-Algorithm"))
	return wanted != "" && wanted != sum.Algorithm
}

// sumAnew makes the ETag and the checksum of a copy of an object that came in parts, or whose
// checksum is to be another.
func (c *call) sumAnew(o, before *artefact.Object) error {
	o.Sum = artefact.Sum{Algorithm: strings.ToLower(c.Header.Get("X-Amz-Checksum-Algorithm")), Type: wholeObject}
	if o.Sum.Algorithm == "" {
		o.Sum.Algorithm = before.Sum.Algorithm
	}
	if algorithms[o.Sum.Algorithm] == nil {
		return badRequest("Checksum algorithm provided is unsupported.")
	}
	content, err := c.api.Store.Content(before.Blob, 0)
	if err != nil {
		return err
	}
	defer content.Close() // it was only read
	check, etag := algorithms[o.Sum.Algorithm](), newMD5()
	if _, err := io.Copy(io.MultiWriter(check, etag), content); err != nil {
		return err
	}
	o.Sum.Value = encodeSum(check)
	o.ETag = hexSum(etag)
	return nil
}
