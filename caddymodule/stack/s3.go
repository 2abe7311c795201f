package stack

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
)

// Types of S3 and of what the CDK's bootstrap has beside it: buckets for what deployments upload.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_S3.html

func s3Types() map[string]*Type {
	return map[string]*Type{
		"AWS::S3::Bucket": bucketType(),
		"AWS::S3::BucketPolicy": {
			Name: "AWS::S3::BucketPolicy", check: only("Bucket", "PolicyDocument"), required: []string{"Bucket", "PolicyDocument"},
			plan: func(w *Work) string { return w.text("Bucket") },
			create: func(ctx context.Context, w *Work) error {
				w.Note = "Hearth keeps the policy in the stack alone: only its access keys reach the bucket"
				_, err := w.bucket(ctx, http.MethodHead, "", nil)
				return err
			},
			update: nothing, remove: nothing, replaces: func(w *Work) bool { return w.differs("Bucket") },
		},
		"AWS::ECR::Repository": {
			Name: "AWS::ECR::Repository", required: []string{"RepositoryName"},
			check: func(_ *Engine, properties map[string]any) error {
				if !strings.HasPrefix(text(properties["RepositoryName"]), "cdk-") && text(properties["RepositoryName"]) != "placeholder" {
					return errors.New("AWS::ECR::Repository is not supported: there is no registry of container images here")
				}
				return nil
			},
			plan: func(w *Work) string { return w.text("RepositoryName") },
			create: func(_ context.Context, w *Work) error {
				w.Note = "Hearth has made nothing of this resource: there is no registry of container images here"
				w.Attributes["Arn"] = "arn:aws:ecr:" + w.engine.account().Region + ":" + w.engine.account().ID + ":repository/" + w.ID
				return nil
			},
			update: nothing, remove: nothing,
		},
	}
}

// bucket calls an operation of S3 on the bucket of the physical ID.
func (w *Work) bucket(ctx context.Context, method, query string, body any) (*answer, error) {
	return w.bucketNamed(ctx, w.ID, method, query, body)
}

func (w *Work) bucketNamed(ctx context.Context, name, method, query string, body any) (*answer, error) {
	e := &model.Encoding{Method: method, URL: &url.URL{Path: "/" + name, RawQuery: query}, Header: http.Header{}}
	if body != nil {
		var err error
		if e.Body, err = xml.Marshal(body); err != nil {
			return nil, err
		}
	}
	a, err := w.caller.send(ctx, "s3", e)
	if err != nil {
		return nil, err
	}
	if a.status >= http.StatusMultipleChoices {
		refusal := a.refusal("s3", method)
		if refusal.Message == "" {
			refusal.Message = http.StatusText(a.status)
		}
		return nil, refusal
	}
	return a, nil
}

// isAssets reports whether a bucket is that of the CDK's assets. That of the usual qualifier is
// there by itself, and cdk bootstrap leaves the others when its stack is deleted.
func (w *Work) isAssets() bool {
	at := w.engine.account()
	return strings.HasPrefix(w.ID, "cdk-") && strings.HasSuffix(w.ID, "-assets-"+at.ID+"-"+at.Region)
}

// isUnknown reports whether the store of the configuration refused what it does not know. MinIO says
// of the XML of a PublicAccessBlock that it is malformed.
func (w *Work) isUnknown(err error) bool {
	var x *CallError
	if !errors.As(err, &x) || !slices.Contains(w.engine.services().Passed, "s3") {
		return false
	}
	return x.Status == http.StatusNotImplemented || x.Status < http.StatusInternalServerError && x.Status != http.StatusForbidden && x.Status != http.StatusTooManyRequests
}

// What a bucket may have: what is done or always so, and what is kept in the stack alone.
var (
	bucketDone = []string{"BucketName", "Tags", "PublicAccessBlockConfiguration", "BucketEncryption", "OwnershipControls", "AccessControl", "NotificationConfiguration"}
	bucketKept = []string{"VersioningConfiguration", "LifecycleConfiguration"}
)

type xmlTag struct {
	Key, Value string
}

type xmlTagging struct {
	XMLName xml.Name `xml:"Tagging"`
	Tags    []xmlTag `xml:"TagSet>Tag"`
}

type xmlBlock struct {
	XMLName               xml.Name `xml:"PublicAccessBlockConfiguration"`
	BlockPublicAcls       string
	IgnorePublicAcls      string
	BlockPublicPolicy     string
	RestrictPublicBuckets string
}

func bucketType() *Type {
	apply := func(ctx context.Context, w *Work) error {
		var kept []string
		if tags := listOf(w.New["Tags"]); len(tags) > 0 || w.Old["Tags"] != nil {
			var set xmlTagging
			for _, one := range tags {
				if of, ok := one.(map[string]any); ok {
					set.Tags = append(set.Tags, xmlTag{text(of["Key"]), text(of["Value"])})
				}
			}
			if _, err := w.bucket(ctx, http.MethodPut, "tagging", set); err != nil {
				return err
			}
		}
		if block, given := w.New["PublicAccessBlockConfiguration"].(map[string]any); given {
			in := xmlBlock{
				BlockPublicAcls: text(block["BlockPublicAcls"]), IgnorePublicAcls: text(block["IgnorePublicAcls"]),
				BlockPublicPolicy: text(block["BlockPublicPolicy"]), RestrictPublicBuckets: text(block["RestrictPublicBuckets"]),
			}
			switch _, err := w.bucket(ctx, http.MethodPut, "publicAccessBlock", in); {
			case w.isUnknown(err):
				kept = append(kept, "PublicAccessBlockConfiguration")
			case err != nil:
				return err
			}
		}
		if err := w.notify(ctx); err != nil {
			return err
		}
		for _, name := range bucketKept {
			if w.New[name] != nil {
				kept = append(kept, name)
			}
		}
		if !encryptedHere(w.New["BucketEncryption"]) {
			kept = append(kept, "the key of BucketEncryption")
		}
		if len(kept) > 0 {
			w.Note = "Hearth keeps " + strings.Join(kept, " and ") + " in the stack alone: nothing acts on it"
		}
		w.Attributes["Arn"] = "arn:aws:s3:::" + w.ID
		w.Attributes["DomainName"] = w.ID + ".s3.amazonaws.com"
		w.Attributes["RegionalDomainName"] = w.ID + ".s3." + w.engine.account().Region + ".amazonaws.com"
		return nil
	}
	return &Type{
		Name: "AWS::S3::Bucket", tags: tagList, check: checkBucket,
		plan: func(w *Work) string {
			if name := w.text("BucketName"); name != "" {
				return name
			}
			return strings.Trim(strings.ToLower(w.generate(63)), "-")
		},
		exists: func(ctx context.Context, w *Work) (bool, error) {
			if w.isAssets() {
				return false, nil
			}
			_, err := w.bucket(ctx, http.MethodHead, "", nil)
			if isNotFound(err) {
				return false, nil
			}
			return err == nil, err
		},
		create: func(ctx context.Context, w *Work) error {
			if _, err := w.bucket(ctx, http.MethodPut, "", nil); err != nil && !(w.isAssets() && isExisting(err)) {
				return err
			}
			return apply(ctx, w)
		},
		update: apply, replaces: func(w *Work) bool { return w.differs("BucketName") },
		remove: func(ctx context.Context, w *Work) error {
			_, err := w.bucket(ctx, http.MethodDelete, "", nil)
			if isNotFound(err) {
				return nil
			}
			return err
		},
	}
}

// encryptedHere reports whether objects are encrypted as a property says: by a key of the server.
func encryptedHere(encryption any) bool {
	of, _ := encryption.(map[string]any)
	for _, rule := range listOf(of["ServerSideEncryptionConfiguration"]) {
		one, _ := rule.(map[string]any)
		by, _ := one["ServerSideEncryptionByDefault"].(map[string]any)
		if algorithm := text(by["SSEAlgorithm"]); algorithm != "" && algorithm != "AES256" {
			return false
		}
	}
	return true
}

func checkBucket(e *Engine, properties map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if !slices.Contains(bucketDone, name) && !slices.Contains(bucketKept, name) {
			return fmt.Errorf("%w: buckets of stacks are for what deployments upload", unsupportedProperty(name))
		}
	}
	if acl := text(properties["AccessControl"]); acl != "" && acl != "Private" && acl != "BucketOwnerFullControl" && acl != "placeholder" {
		return fmt.Errorf("AccessControl %s is not supported: only access keys reach a bucket", acl)
	}
	return checkNotification(e, properties["NotificationConfiguration"])
}
