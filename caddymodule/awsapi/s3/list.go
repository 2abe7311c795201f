package s3

import (
	"encoding/base64"
	"encoding/xml"
	"net/url"
	"strconv"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/awsapi/s3/artefact"
)

type listed struct {
	Key, LastModified, ETag string
	ChecksumAlgorithm       string `xml:",omitempty"`
	ChecksumType            string `xml:",omitempty"`
	Size                    int64
	Owner                   *owner `xml:",omitempty"`
	StorageClass            string
}

type commonPrefix struct{ Prefix string }

type listing struct {
	XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name, Prefix          string
	Delimiter             string  `xml:",omitempty"`
	Marker                *string `xml:",omitempty"`
	NextMarker            string  `xml:",omitempty"`
	StartAfter            string  `xml:",omitempty"`
	ContinuationToken     string  `xml:",omitempty"`
	NextContinuationToken string  `xml:",omitempty"`
	KeyCount              *int    `xml:",omitempty"`
	MaxKeys               int
	EncodingType          string `xml:",omitempty"`
	IsTruncated           bool
	Contents              []listed
	CommonPrefixes        []commonPrefix
}

// most reads how many elements a page may have: 1000, or fewer.
func (c *call) most(name string) (int, error) {
	text := c.param(name)
	if text == "" {
		return 1000, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, badArgument("Provided " + name + " not an integer or within integer range")
	}
	return min(n, 1000), nil
}

// encoder is how keys are written: as they are, or as in a URL.
func (c *call) encoder() (func(string) string, error) {
	switch c.param("encoding-type") {
	case "":
		return func(s string) string { return s }, nil
	case "url":
		return func(s string) string {
			return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(s), "%2F", "/"), "+", "%20")
		}, nil
	}
	return nil, badArgument("Invalid Encoding Method specified in Request")
}

// listObjects answers both versions.
func listObjects(c *call) error {
	second := c.param("list-type") == "2"
	most, err := c.most("max-keys")
	if err != nil {
		return err
	}
	write, err := c.encoder()
	if err != nil {
		return err
	}
	after := c.param("marker")
	if second {
		after = c.param("start-after")
		if token := c.param("continuation-token"); token != "" {
			text, err := base64.URLEncoding.DecodeString(token)
			if err != nil {
				return badArgument("The continuation token provided is incorrect")
			}
			after = string(text)
		}
	}
	var page artefact.Page
	if most == 0 {
		_, err = c.bucketOf()
	} else {
		page, err = c.api.Store.List(c.bucket, c.param("prefix"), c.param("delimiter"), after, most)
	}
	if err != nil {
		return err
	}
	out := listing{Name: c.bucket, Prefix: write(c.param("prefix")), Delimiter: write(c.param("delimiter")), MaxKeys: most, EncodingType: c.param("encoding-type"), IsTruncated: page.Next != ""}
	count := len(page.Objects) + len(page.Prefixes)
	if second {
		out.KeyCount, out.StartAfter, out.ContinuationToken = &count, write(c.param("start-after")), c.param("continuation-token")
		if page.Next != "" {
			out.NextContinuationToken = base64.URLEncoding.EncodeToString([]byte(page.Next))
		}
	} else {
		marker := write(after)
		out.Marker, out.NextMarker = &marker, write(page.Next)
	}
	var by *owner
	if !second || c.param("fetch-owner") == "true" {
		o := c.api.owner()
		by = &o
	}
	for _, o := range page.Objects {
		out.Contents = append(out.Contents, listed{
			Key: write(o.Key), LastModified: o.Modified.Format(timeFormat), ETag: `"` + o.ETag + `"`, Size: o.Size, Owner: by, StorageClass: "STANDARD",
			ChecksumAlgorithm: strings.ToUpper(o.Sum.Algorithm), ChecksumType: o.Sum.Type,
		})
	}
	for _, p := range page.Prefixes {
		out.CommonPrefixes = append(out.CommonPrefixes, commonPrefix{write(p)})
	}
	return c.answer(out)
}
