package s3

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/awsapi/s3/artefact"
)

// minPart is the least size of a part that is not the last, in bytes.
const minPart = 5 << 20

func newMD5() hash.Hash { return md5.New() }

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

func createUpload(c *call) error {
	attributes, err := c.attributes()
	if err != nil {
		return err
	}
	sum := artefact.Sum{Algorithm: strings.ToLower(c.Header.Get("X-Amz-Checksum-Algorithm")), Type: strings.ToUpper(c.Header.Get("X-Amz-Checksum-Type"))}
	switch {
	case sum.Algorithm == "" && sum.Type != "":
		return badRequest("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
	case sum.Algorithm != "" && algorithms[sum.Algorithm] == nil:
		return badRequest("Checksum algorithm provided is unsupported.")
	case sum.Algorithm == "": // then each part has any, and the object the default's
	case sum.Type == "":
		if sum.Type = composite; sum.Algorithm == "crc64nvme" {
			sum.Type = wholeObject
		}
	case sum.Type != composite && sum.Type != wholeObject,
		sum.Type == composite && sum.Algorithm == "crc64nvme",
		sum.Type == wholeObject && strings.HasPrefix(sum.Algorithm, "sha"):
		return badRequest("The " + printable(sum.Type) + " checksum type cannot be used with the " + sum.Algorithm + " checksum algorithm.")
	}
	u, err := c.api.Store.StartUpload(artefact.Upload{Attributes: attributes, Bucket: c.bucket, Key: c.key, Sum: sum})
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("X-Amz-Server-Side-Encryption", sseAES)
	if sum.Algorithm != "" {
		h.Set("X-Amz-Checksum-Algorithm", strings.ToUpper(sum.Algorithm))
		h.Set("X-Amz-Checksum-Type", sum.Type)
	}
	return c.answer(struct {
		XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ InitiateMultipartUploadResult"`
		Bucket, Key, UploadId string
	}{Bucket: c.bucket, Key: c.key, UploadId: u.ID})
}

func (c *call) upload() (*artefact.Upload, []*artefact.Part, error) {
	return c.api.Store.Upload(c.bucket, c.key, c.param("uploadId"))
}

func uploadPart(c *call) error {
	number, err := strconv.Atoi(c.param("partNumber"))
	if err != nil || number < 1 || number > artefact.MaxParts {
		return badArgument("Part number must be an integer between 1 and 10000, inclusive")
	}
	u, _, err := c.upload()
	if err != nil {
		return err
	}
	d, sum, err := c.receive(u.Sum.Algorithm)
	if err != nil {
		return err
	}
	defer d.Close()
	if u.Sum.Algorithm != "" && sum.Algorithm != u.Sum.Algorithm {
		return badRequest("Checksum Type mismatch occurred, expected checksum Type: " + u.Sum.Algorithm + ", actual checksum Type: " + sum.Algorithm)
	}
	p := &artefact.Part{Number: number, ETag: hex.EncodeToString(d.MD5()), Sum: sum}
	if err := c.api.Store.PutPart(u, p, d); err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("ETag", `"`+p.ETag+`"`)
	h.Set("X-Amz-Server-Side-Encryption", sseAES)
	h.Set(checksumHeader+sum.Algorithm, sum.Value)
	return c.empty(http.StatusOK)
}

func completeUpload(c *call) error {
	var in struct {
		Part []struct {
			PartNumber int
			ETag       string
			sums
		}
	}
	u, parts, err := c.upload()
	if err != nil {
		return err
	}
	// The checksum in the header is of the object, and not of this body.
	given, err := givenSum(c.Header)
	if err != nil {
		return err
	}
	for algorithm := range algorithms {
		c.Header.Del(checksumHeader + algorithm)
	}
	if err := c.readXML(&in); err != nil {
		return err
	}
	if len(in.Part) == 0 {
		return errMalformed
	}
	there := make(map[int]*artefact.Part, len(parts))
	for _, p := range parts {
		there[p.Number] = p
	}
	var chosen []*artefact.Part
	var size int64
	for n, want := range in.Part {
		p := there[want.PartNumber]
		if n > 0 && want.PartNumber <= in.Part[n-1].PartNumber {
			return refuse(http.StatusBadRequest, "InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.")
		}
		if p == nil || strings.Trim(want.ETag, `"`) != p.ETag {
			return refuse(http.StatusBadRequest, "InvalidPart", "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
		}
		if value := *want.field(p.Sum.Algorithm); value != "" && value != p.Sum.Value {
			return refuse(http.StatusBadRequest, "InvalidPart", "The checksum of a part does not match.")
		}
		if n < len(in.Part)-1 && p.Size < minPart {
			return refuse(http.StatusBadRequest, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
		}
		chosen = append(chosen, p)
		size += p.Size
	}
	if text := c.Header.Get("X-Amz-Mp-Object-Size"); text != "" && text != strconv.FormatInt(size, 10) {
		return badRequest("The provided 'x-amz-mp-object-size' header does not match what was computed.")
	}
	return c.complete(u, chosen, size, given)
}

// complete writes the parts to one content.
func (c *call) complete(u *artefact.Upload, parts []*artefact.Part, size int64, given artefact.Sum) error {
	leave, err := c.api.enter()
	if err != nil {
		return err
	}
	defer leave()
	d, err := c.api.Store.Draft(size)
	if err != nil {
		return err
	}
	defer d.Close()
	sum := u.Sum
	if sum.Algorithm == "" {
		sum = artefact.Sum{Algorithm: cmp.Or(given.Algorithm, defaultAlgorithm), Type: wholeObject}
	}
	whole := algorithms[sum.Algorithm]()
	var etags, values bytes.Buffer
	for _, p := range parts {
		if err := c.append(io.MultiWriter(d, whole), p); err != nil {
			return err
		}
		etag, _ := hex.DecodeString(p.ETag) // it was encoded here
		value, _ := base64.StdEncoding.DecodeString(p.Sum.Value)
		etags.Write(etag)
		values.Write(value)
	}
	count := strconv.Itoa(len(parts))
	if sum.Value = encodeSum(whole); sum.Type == composite {
		of := algorithms[sum.Algorithm]()
		of.Write(values.Bytes())
		sum.Value = encodeSum(of) + "-" + count
	}
	if given.Value != "" && (given.Algorithm != sum.Algorithm || strings.TrimSuffix(given.Value, "-"+count) != strings.TrimSuffix(sum.Value, "-"+count)) {
		return refuse(http.StatusBadRequest, "BadDigest", "The "+strings.ToUpper(given.Algorithm)+" you specified did not match the calculated checksum.")
	}
	of := newMD5()
	of.Write(etags.Bytes())
	o := &artefact.Object{Attributes: u.Attributes, Key: c.key, ETag: hexSum(of) + "-" + count, Sum: sum, Parts: len(parts)}
	if err := c.api.Store.Complete(u, o, d, c.allow); err != nil {
		return err
	}
	out := struct {
		XMLName                     xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CompleteMultipartUploadResult"`
		Location, Bucket, Key, ETag string
		sums
	}{Location: "/" + c.bucket + "/" + c.key, Bucket: c.bucket, Key: c.key, ETag: `"` + o.ETag + `"`}
	out.set(o.Sum)
	c.w.Header().Set("X-Amz-Server-Side-Encryption", sseAES)
	return c.answer(out)
}

func (c *call) append(w io.Writer, p *artefact.Part) error {
	content, err := c.api.Store.Content(p.Blob, 0)
	if err == artefact.ErrNoObject {
		return artefact.ErrNoUpload // it was aborted meanwhile
	}
	if err != nil {
		return err
	}
	defer content.Close() // it was only read
	_, err = io.CopyN(w, content, p.Size)
	return err
}

func abortUpload(c *call) error {
	u, _, err := c.upload()
	if err != nil {
		return err
	}
	if err := c.api.Store.Abort(u); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

func listParts(c *call) error {
	u, parts, err := c.upload()
	if err != nil {
		return err
	}
	most, err := c.most("max-parts")
	if err != nil {
		return err
	}
	after := 0
	if text := c.param("part-number-marker"); text != "" {
		if after, err = strconv.Atoi(text); err != nil {
			return badArgument("Provided part-number-marker not an integer or within integer range")
		}
	}
	type entry struct {
		PartNumber         int
		LastModified, ETag string
		Size               int64
		sums
	}
	out := struct {
		XMLName                                xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListPartsResult"`
		Bucket, Key, UploadId                  string
		ChecksumAlgorithm, ChecksumType        string `xml:",omitempty"`
		Initiator, Owner                       owner
		StorageClass                           string
		PartNumberMarker, NextPartNumberMarker int
		MaxParts                               int
		IsTruncated                            bool
		Part                                   []entry
	}{Bucket: c.bucket, Key: c.key, UploadId: u.ID, ChecksumAlgorithm: strings.ToUpper(u.Sum.Algorithm), ChecksumType: u.Sum.Type,
		Initiator: c.api.owner(), Owner: c.api.owner(), StorageClass: "STANDARD", PartNumberMarker: after, MaxParts: most}
	for _, p := range parts {
		if p.Number <= after {
			continue
		}
		if out.IsTruncated = len(out.Part) == most; out.IsTruncated {
			break
		}
		e := entry{PartNumber: p.Number, LastModified: p.Modified.Format(timeFormat), ETag: `"` + p.ETag + `"`, Size: p.Size}
		*e.field(p.Sum.Algorithm) = p.Sum.Value
		out.Part = append(out.Part, e)
		out.NextPartNumberMarker = p.Number
	}
	return c.answer(out)
}

// listUploads lists all uploads of a bucket: there are too few for pages.
func listUploads(c *call) error {
	if _, err := c.bucketOf(); err != nil {
		return err
	}
	write, err := c.encoder()
	if err != nil {
		return err
	}
	type entry struct {
		Key, UploadId    string
		Initiator, Owner owner
		StorageClass     string
		Initiated        string
	}
	out := struct {
		XMLName        xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListMultipartUploadsResult"`
		Bucket, Prefix string
		EncodingType   string `xml:",omitempty"`
		MaxUploads     int
		IsTruncated    bool
		Upload         []entry
	}{Bucket: c.bucket, Prefix: write(c.param("prefix")), EncodingType: c.param("encoding-type"), MaxUploads: 1000}
	for _, u := range c.api.Store.Uploads(c.bucket) {
		if strings.HasPrefix(u.Key, c.param("prefix")) {
			out.Upload = append(out.Upload, entry{write(u.Key), u.ID, c.api.owner(), c.api.owner(), "STANDARD", u.Started.Format(timeFormat)})
		}
	}
	return c.answer(out)
}
