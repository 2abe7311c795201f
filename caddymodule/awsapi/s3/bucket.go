package s3

import (
	"encoding/xml"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi/s3/artefact"
)

const timeFormat = "2006-01-02T15:04:05.000Z"

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

type owner struct{ ID, DisplayName string }

func (a *API) owner() owner { return owner{ID: a.Account.ID, DisplayName: a.Account.ID} }

// listBuckets lists all: there are too few for pages.
func listBuckets(c *call) error {
	type entry struct{ Name, CreationDate, BucketRegion string }
	var out struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListAllMyBucketsResult"`
		Owner   owner
		Buckets struct{ Bucket []entry }
	}
	out.Owner = c.api.owner()
	region := c.api.Account.Region
	if wanted := c.param("bucket-region"); wanted == "" || wanted == region {
		for _, b := range c.api.Store.Buckets() {
			if strings.HasPrefix(b.Name, c.param("prefix")) {
				out.Buckets.Bucket = append(out.Buckets.Bucket, entry{b.Name, b.Created.Format(timeFormat), region})
			}
		}
	}
	return c.answer(out)
}

func createBucket(c *call) error {
	var in struct {
		LocationConstraint string
		Location, Bucket   *struct{}
		Tags               []tag `xml:"Tags>Tag"`
	}
	body, err := c.document()
	if err != nil {
		return err
	}
	if len(body) > 0 && xml.Unmarshal(body, &in) != nil {
		return errMalformed
	}
	region := c.api.Account.Region
	if in.LocationConstraint != "" && in.LocationConstraint != region {
		return refuse(http.StatusBadRequest, "IllegalLocationConstraintException", "The "+printable(in.LocationConstraint)+" location constraint is incompatible for the region specific endpoint this request was sent to.")
	}
	if in.Location != nil || in.Bucket != nil {
		return notSupported("A directory bucket (CreateBucket)")
	}
	if strings.EqualFold(c.Header.Get("X-Amz-Bucket-Object-Lock-Enabled"), "true") {
		return notSupported("Object Lock (CreateBucket)")
	}
	if o := c.Header.Get("X-Amz-Object-Ownership"); o != "" && o != "BucketOwnerEnforced" {
		return notSupported("The object ownership " + printable(o) + " (CreateBucket)")
	}
	if err := c.checkACL(); err != nil {
		return err
	}
	b := artefact.Bucket{Name: c.bucket}
	if b.Tags, err = tagsOf(in.Tags); err != nil {
		return err
	}
	err = c.api.Store.CreateBucket(b)
	if errors.Is(err, artefact.ErrExists) {
		if region == "us-east-1" { // as there
			err = nil
		} else {
			return refuse(http.StatusConflict, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.")
		}
	}
	if errors.Is(err, artefact.ErrTooMany) {
		return refuse(http.StatusBadRequest, "TooManyBuckets", "You have attempted to create more buckets than allowed")
	}
	if err != nil {
		return err
	}
	c.w.Header().Set("Location", "/"+c.bucket)
	return c.empty(http.StatusOK)
}

// checkACL refuses lists that open something: nothing here is public.
func (c *call) checkACL() error {
	switch acl := c.Header.Get("X-Amz-Acl"); acl {
	case "", "private", "bucket-owner-full-control":
		return nil
	default:
		return refuse(http.StatusBadRequest, "AccessControlListNotSupported", "The bucket does not allow ACLs")
	}
}

func headBucket(c *call) error {
	if _, err := c.api.Store.Bucket(c.bucket); err != nil {
		return err
	}
	c.w.Header().Set("X-Amz-Bucket-Region", c.api.Account.Region)
	return c.empty(http.StatusOK)
}

func deleteBucket(c *call) error {
	if err := c.api.Store.DeleteBucket(c.bucket); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

// getLocation answers with the region, which is none in us-east-1.
func getLocation(c *call) error {
	if _, err := c.api.Store.Bucket(c.bucket); err != nil {
		return err
	}
	region := c.api.Account.Region
	if region == "us-east-1" {
		region = ""
	}
	return c.answer(struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ LocationConstraint"`
		Region  string   `xml:",chardata"`
	}{Region: region})
}

func formatHTTP(t time.Time) string { return t.UTC().Format(http.TimeFormat) }
