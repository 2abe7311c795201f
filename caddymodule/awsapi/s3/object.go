package s3

import (
	"encoding/hex"
	"encoding/xml"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/awsapi/access"
	"github.com/hearthfn/hearth/caddymodule/awsapi/s3/artefact"
)

// sseAES is what contents are encrypted by on the disk.
const sseAES = "AES256"

const metaHeader = "X-Amz-Meta-"

// maxMetadata is how much metadata an object has at most, in bytes, as on AWS.
const maxMetadata = 2 << 10

// kept are the headers that an object gives back.
var kept = []string{"Content-Type", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires"}

// attributes are what a request that makes an object says of it.
func (c *call) attributes() (artefact.Attributes, error) {
	a := artefact.Attributes{Header: make(map[string]string), Metadata: make(map[string]string)}
	if sse := c.Header.Get("X-Amz-Server-Side-Encryption"); sse != "" && sse != sseAES {
		return a, notSupported("Encryption by " + printable(sse))
	}
	if class := c.Header.Get("X-Amz-Storage-Class"); class != "" && class != "STANDARD" {
		return a, refuse(http.StatusBadRequest, "InvalidStorageClass", "The storage class you specified is not valid: STANDARD alone is supported here.")
	}
	if err := c.checkACL(); err != nil {
		return a, err
	}
	for _, name := range kept {
		value := c.Header.Get(name)
		if name == "Content-Encoding" {
			value = withoutChunked(value)
		}
		if value != "" {
			a.Header[name] = value
		}
	}
	if a.Header["Content-Type"] == "" {
		a.Header["Content-Type"] = "binary/octet-stream"
	}
	size := 0
	for name, values := range c.Header {
		if rest, found := strings.CutPrefix(name, metaHeader); found {
			value := strings.Join(values, ",")
			a.Metadata[strings.ToLower(rest)] = value
			size += len(rest) + len(value)
		}
	}
	if size > maxMetadata {
		return a, refuse(http.StatusBadRequest, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size")
	}
	return a, nil
}

// withoutChunked is a Content-Encoding without what is about the transfer alone.
func withoutChunked(encoding string) string {
	var rest []string
	for part := range strings.SplitSeq(encoding, ",") {
		if part = strings.TrimSpace(part); part != "" && part != "aws-chunked" {
			rest = append(rest, part)
		}
	}
	return strings.Join(rest, ",")
}

// allow checks the conditions of a request that makes an object.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
func (c *call) allow(before *artefact.Object) error {
	match, none := c.Header.Get("If-Match"), c.Header.Get("If-None-Match")
	switch {
	case none != "" && none != "*":
		return notSupported("If-None-Match with an ETag (" + c.Method + ")")
	case none == "*" && before != nil:
		return errCondition
	case match != "" && before == nil:
		return artefact.ErrNoObject
	case match != "" && !matches(match, before.ETag):
		return errCondition
	}
	return nil
}

// matches tells whether an ETag is one of a list.
func matches(list, etag string) bool {
	for part := range strings.SplitSeq(list, ",") {
		if part = strings.Trim(strings.TrimSpace(part), `"`); part == "*" || part == etag {
			return true
		}
	}
	return false
}

func putObject(c *call) error {
	attributes, err := c.attributes()
	if err != nil {
		return err
	}
	if _, err := c.bucketOf(); err != nil {
		return err
	}
	d, sum, err := c.receive("")
	if err != nil {
		return err
	}
	defer d.Close()
	o := &artefact.Object{Attributes: attributes, Key: c.key, ETag: hex.EncodeToString(d.MD5()), Sum: sum}
	if err := c.api.Store.Put(c.bucket, o, d, c.allow); err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("ETag", `"`+o.ETag+`"`)
	h.Set("X-Amz-Server-Side-Encryption", sseAES)
	setSum(h, o.Sum)
	return c.empty(http.StatusOK)
}

// checkVersion refuses versions: there is one, null.
func (c *call) checkVersion() error {
	if v := c.param("versionId"); v != "" && v != "null" {
		return refuse(http.StatusNotFound, "NoSuchVersion", "The specified version does not exist.")
	}
	return nil
}

// getObject answers GET and HEAD.
func getObject(c *call) error {
	if err := c.checkVersion(); err != nil {
		return err
	}
	o, err := c.api.Store.Object(c.bucket, c.key)
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("ETag", `"`+o.ETag+`"`)
	h.Set("Last-Modified", formatHTTP(o.Modified))
	if err := checkRead(c.Header, "", o); err != nil {
		return err
	}
	for name, value := range o.Header {
		h.Set(name, value)
	}
	for name, value := range o.Metadata {
		h["x-amz-meta-"+name] = []string{value} // SDKs give the name back as it is written here
	}
	for _, param := range answerParams {
		if value := c.param(param); value != "" {
			h.Set(strings.TrimPrefix(param, "response-"), value)
		}
	}
	h.Set("Accept-Ranges", "bytes")
	h.Set("X-Amz-Server-Side-Encryption", sseAES)
	offset, length, status := int64(0), o.Size, http.StatusOK
	if asked := c.Header.Get("Range"); asked != "" {
		var partial bool
		if offset, length, partial, err = rangeOf(asked, o.Size); err != nil {
			h.Set("Content-Range", "bytes */"+strconv.FormatInt(o.Size, 10))
			return err
		}
		if partial {
			status = http.StatusPartialContent
			h.Set("Content-Range", "bytes "+strconv.FormatInt(offset, 10)+"-"+strconv.FormatInt(offset+length-1, 10)+"/"+strconv.FormatInt(o.Size, 10))
		}
	}
	if strings.EqualFold(c.Header.Get("X-Amz-Checksum-Mode"), "ENABLED") && status == http.StatusOK {
		setSum(h, o.Sum)
	}
	if o.Parts > 0 {
		h.Set("X-Amz-Mp-Parts-Count", strconv.Itoa(o.Parts))
	}
	if c.Method == http.MethodHead {
		h.Set("Content-Length", strconv.FormatInt(length, 10))
		return c.empty(status)
	}
	content, err := c.api.Store.Content(o.Blob, offset)
	if err != nil {
		return err
	}
	defer content.Close() // it was only read
	h.Set("Content-Length", strconv.FormatInt(length, 10))
	c.w.WriteHeader(status)
	_, err = io.CopyN(c.w, content, length)
	if err != nil && c.Context().Err() == nil {
		panic(http.ErrAbortHandler) // a client must not take the part for the whole
	}
	return nil
}

// checkRead checks the conditions of a read. prefix is that of the headers of a copy.
func checkRead(h http.Header, prefix string, o *artefact.Object) error {
	failed := func(e error) error {
		if prefix != "" {
			return errCondition
		}
		return e
	}
	match, none := h.Get(prefix+"If-Match"), h.Get(prefix+"If-None-Match")
	if match != "" {
		if !matches(match, o.ETag) {
			return errCondition
		}
	} else if since, err := http.ParseTime(h.Get(prefix + "If-Unmodified-Since")); err == nil && o.Modified.After(since) {
		return errCondition
	}
	if none != "" {
		if matches(none, o.ETag) {
			return failed(errNotModified)
		}
	} else if since, err := http.ParseTime(h.Get(prefix + "If-Modified-Since")); err == nil && !o.Modified.After(since) {
		return failed(errNotModified)
	}
	return nil
}

// rangeOf reads a range of bytes. As S3 does, it takes no notice of a list of ranges or of one
// that is none.
func rangeOf(text string, size int64) (offset, length int64, partial bool, err error) {
	outside := refuse(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable")
	first, last, found := strings.Cut(strings.TrimPrefix(text, "bytes="), "-")
	if !found || !strings.HasPrefix(text, "bytes=") {
		return 0, size, false, nil
	}
	from, fromErr := strconv.ParseUint(first, 10, 62)
	to, toErr := strconv.ParseUint(last, 10, 62)
	switch {
	case first == "" && toErr == nil: // the last bytes
		if to == 0 || size == 0 {
			return 0, 0, false, outside
		}
		length = min(int64(to), size)
		return size - length, length, true, nil
	case fromErr != nil, last != "" && toErr != nil, last != "" && to < from:
		return 0, size, false, nil
	case int64(from) >= size:
		return 0, 0, false, outside
	}
	length = size - int64(from)
	if last != "" {
		length = min(length, int64(to-from)+1)
	}
	return int64(from), length, true, nil
}

func deleteObject(c *call) error {
	if err := c.checkVersion(); err != nil {
		return err
	}
	if c.Header.Get("If-Match") != "" {
		return notSupported("If-Match (DeleteObject)")
	}
	if err := c.api.Store.Delete(c.bucket, c.key); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

func deleteObjects(c *call) error {
	var in struct {
		Quiet  bool
		Object []struct{ Key, VersionId, ETag string }
	}
	if err := c.readXML(&in); err != nil {
		return err
	}
	if len(in.Object) == 0 || len(in.Object) > 1000 {
		return errMalformed
	}
	if _, err := c.bucketOf(); err != nil {
		return err
	}
	type deleted struct{ Key string }
	type failure struct{ Key, Code, Message string }
	var out struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ DeleteResult"`
		Deleted []deleted
		Error   []failure
	}
	for _, o := range in.Object {
		var err error
		switch {
		case o.ETag != "":
			err = notSupported("ETag (DeleteObjects)")
		case o.VersionId != "" && o.VersionId != "null":
			err = refuse(http.StatusNotFound, "NoSuchVersion", "The specified version does not exist.")
		default:
			if err = c.may(access.S3("DeleteObject", c.bucket, o.Key)...); err == nil {
				err = c.api.Store.Delete(c.bucket, o.Key)
			}
		}
		if err == nil {
			if !in.Quiet {
				out.Deleted = append(out.Deleted, deleted{o.Key})
			}
			continue
		}
		x := errorOf(err)
		if x == nil {
			return err
		}
		out.Error = append(out.Error, failure{o.Key, x.Code, x.Message})
	}
	return c.answer(out)
}
