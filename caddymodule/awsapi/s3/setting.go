package s3

import (
	"encoding/xml"
	"net/http"

	"github.com/hearthfn/hearth/caddymodule/awsapi/s3/artefact"
)

// Settings of buckets are kept where what they say is true. All others are refused.

func (c *call) readXML(into any) error {
	body, err := c.document()
	if err != nil {
		return err
	}
	if xml.Unmarshal(body, into) != nil {
		return errMalformed
	}
	return nil
}

func (c *call) bucketOf() (artefact.Bucket, error) { return c.api.Store.Bucket(c.bucket) }

func (c *call) change(change func(b *artefact.Bucket), status int) error {
	if err := c.api.Store.ChangeBucket(c.bucket, change); err != nil {
		return err
	}
	return c.empty(status)
}

// missing answers that a bucket has not what nothing here can give it.
func missing(code, message string) func(c *call) error {
	return func(c *call) error {
		if _, err := c.bucketOf(); err != nil {
			return err
		}
		return refuse(http.StatusNotFound, code, message)
	}
}

// deleteNothing removes what a bucket cannot have.
func deleteNothing(c *call) error {
	if _, err := c.bucketOf(); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

type versioning struct {
	XMLName   xml.Name `xml:"VersioningConfiguration"`
	Namespace string   `xml:"xmlns,attr,omitempty"`
	Status    string   `xml:",omitempty"`
	MfaDelete string   `xml:",omitempty"`
}

func getVersioning(c *call) error {
	b, err := c.bucketOf()
	if err != nil {
		return err
	}
	return c.answer(versioning{Namespace: namespace, Status: b.Versioning})
}

func putVersioning(c *call) error {
	var in versioning
	if err := c.readXML(&in); err != nil {
		return err
	}
	if in.Status != "Suspended" || in.MfaDelete == "Enabled" {
		return notSupported("Versioning (PutBucketVersioning with Status " + printable(in.Status) + ")")
	}
	return c.change(func(b *artefact.Bucket) { b.Versioning = in.Status }, http.StatusOK)
}

type encryption struct {
	XMLName   xml.Name `xml:"ServerSideEncryptionConfiguration"`
	Namespace string   `xml:"xmlns,attr,omitempty"`
	Rule      []struct {
		ApplyServerSideEncryptionByDefault struct {
			SSEAlgorithm   string
			KMSMasterKeyID string `xml:",omitempty"`
		}
		BucketKeyEnabled bool
	}
}

// getEncryption says what is so for all buckets: contents are encrypted on the disk.
func getEncryption(c *call) error {
	if _, err := c.bucketOf(); err != nil {
		return err
	}
	out := encryption{Namespace: namespace}
	out.Rule = append(out.Rule, struct {
		ApplyServerSideEncryptionByDefault struct {
			SSEAlgorithm   string
			KMSMasterKeyID string `xml:",omitempty"`
		}
		BucketKeyEnabled bool
	}{})
	out.Rule[0].ApplyServerSideEncryptionByDefault.SSEAlgorithm = sseAES
	return c.answer(out)
}

func putEncryption(c *call) error {
	var in encryption
	if err := c.readXML(&in); err != nil {
		return err
	}
	if len(in.Rule) != 1 {
		return errMalformed
	}
	if by := in.Rule[0].ApplyServerSideEncryptionByDefault; by.SSEAlgorithm != sseAES || by.KMSMasterKeyID != "" {
		return notSupported("Encryption by " + printable(by.SSEAlgorithm) + " (PutBucketEncryption)")
	}
	return deleteNothingWith(c, http.StatusOK)
}

func deleteNothingWith(c *call, status int) error {
	if _, err := c.bucketOf(); err != nil {
		return err
	}
	return c.empty(status)
}

type publicAccess struct {
	XMLName                                                                     xml.Name `xml:"PublicAccessBlockConfiguration"`
	Namespace                                                                   string   `xml:"xmlns,attr,omitempty"`
	BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets bool
}

func getPublicAccess(c *call) error {
	b, err := c.bucketOf()
	if err != nil {
		return err
	}
	if !b.PublicAccess {
		return refuse(http.StatusNotFound, "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found")
	}
	return c.answer(publicAccess{Namespace: namespace, BlockPublicAcls: true, IgnorePublicAcls: true, BlockPublicPolicy: true, RestrictPublicBuckets: true})
}

func putPublicAccess(c *call) error {
	var in publicAccess
	if err := c.readXML(&in); err != nil {
		return err
	}
	if !in.BlockPublicAcls || !in.IgnorePublicAcls || !in.BlockPublicPolicy || !in.RestrictPublicBuckets {
		return notSupported("Public access (PutPublicAccessBlock with a member that is not true)")
	}
	return c.change(func(b *artefact.Bucket) { b.PublicAccess = true }, http.StatusOK)
}

func deletePublicAccess(c *call) error {
	return c.change(func(b *artefact.Bucket) { b.PublicAccess = false }, http.StatusNoContent)
}

type tag struct{ Key, Value string }

// tagsOf checks tags.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/CostAllocTagging.html
func tagsOf(list []tag) (map[string]string, error) {
	if len(list) > 50 {
		return nil, badRequest("A bucket has 50 tags at most.")
	}
	tags := make(map[string]string, len(list))
	for _, t := range list {
		if _, twice := tags[t.Key]; twice || t.Key == "" || len(t.Key) > 4*128 || len(t.Value) > 4*256 {
			return nil, refuse(http.StatusBadRequest, "InvalidTag", "The TagKey you have provided is invalid")
		}
		tags[t.Key] = t.Value
	}
	return tags, nil
}

type tagging struct {
	XMLName   xml.Name `xml:"Tagging"`
	Namespace string   `xml:"xmlns,attr,omitempty"`
	Tags      []tag    `xml:"TagSet>Tag"`
}

func getTags(c *call) error {
	b, err := c.bucketOf()
	if err != nil {
		return err
	}
	if len(b.Tags) == 0 {
		return refuse(http.StatusNotFound, "NoSuchTagSet", "The TagSet does not exist")
	}
	out := tagging{Namespace: namespace}
	for key, value := range b.Tags {
		out.Tags = append(out.Tags, tag{key, value})
	}
	return c.answer(out)
}

func putTags(c *call) error {
	var in tagging
	if err := c.readXML(&in); err != nil {
		return err
	}
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return err
	}
	return c.change(func(b *artefact.Bucket) { b.Tags = tags }, http.StatusNoContent)
}

func deleteTags(c *call) error {
	return c.change(func(b *artefact.Bucket) { b.Tags = nil }, http.StatusNoContent)
}
