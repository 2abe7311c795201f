package access

// s3Actions are the actions of operations whose names are others.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
var s3Actions = map[string]string{
	"ListBuckets": "ListAllMyBuckets", "HeadBucket": "ListBucket", "ListObjects": "ListBucket", "ListObjectsV2": "ListBucket",
	"HeadObject": "GetObject", "CopyObject": "PutObject", "CreateMultipartUpload": "PutObject", "UploadPart": "PutObject",
	"UploadPartCopy": "PutObject", "CompleteMultipartUpload": "PutObject", "ListParts": "ListMultipartUploadParts",
	"ListMultipartUploads": "ListBucketMultipartUploads", "GetBucketEncryption": "GetEncryptionConfiguration",
	"PutBucketEncryption": "PutEncryptionConfiguration", "DeleteBucketEncryption": "PutEncryptionConfiguration",
	"GetPublicAccessBlock": "GetBucketPublicAccessBlock", "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
	"DeletePublicAccessBlock": "PutBucketPublicAccessBlock", "DeleteBucketTagging": "PutBucketTagging",
	"GetBucketLifecycleConfiguration": "GetLifecycleConfiguration", "DeleteBucketLifecycle": "PutLifecycleConfiguration",
}

// S3 are the needs of an operation of S3 on a bucket, or on an object if key is not "".
func S3(operation, bucket, key string) []Need {
	action := s3Actions[operation]
	if action == "" {
		action = operation
	}
	need := Need{Action: "s3:" + action}
	switch {
	case key != "":
		need.Resources = []string{"arn:aws:s3:::" + bucket + "/" + key}
	case bucket != "":
		need.Resources = []string{"arn:aws:s3:::" + bucket}
	}
	return []Need{need}
}

// s3Objects and s3Buckets are the names of subresources in actions.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
var (
	s3Objects = map[string]string{"acl": "ObjectAcl", "tagging": "ObjectTagging", "retention": "ObjectRetention", "legal-hold": "ObjectLegalHold", "attributes": "ObjectAttributes", "torrent": "ObjectTorrent"}
	s3Buckets = map[string]string{
		"acl": "BucketAcl", "policy": "BucketPolicy", "policyStatus": "BucketPolicyStatus", "cors": "BucketCORS", "lifecycle": "LifecycleConfiguration",
		"notification": "BucketNotification", "website": "BucketWebsite", "versioning": "BucketVersioning", "encryption": "EncryptionConfiguration",
		"tagging": "BucketTagging", "logging": "BucketLogging", "location": "BucketLocation", "replication": "ReplicationConfiguration",
		"publicAccessBlock": "BucketPublicAccessBlock", "ownershipControls": "BucketOwnershipControls", "object-lock": "BucketObjectLockConfiguration",
		"accelerate": "AccelerateConfiguration", "requestPayment": "BucketRequestPayment", "inventory": "InventoryConfiguration", "metrics": "MetricsConfiguration",
		"analytics": "AnalyticsConfiguration", "intelligent-tiering": "IntelligentTieringConfiguration",
	}
)

// S3Operation is what S3 needs for a method on a service, a bucket or an object, and a
// subresource. Of one that is not known it is a name that only wildcards match.
func S3Operation(method, level, sub string, version bool) string {
	verb := map[string]string{"GET": "Get", "HEAD": "Get", "PUT": "Put", "POST": "Put", "DELETE": "Delete"}[method]
	switch known := level + " " + sub; {
	case level == "service" && sub == "" && verb == "Get":
		return "ListAllMyBuckets"
	case known == "bucket ":
		return map[string]string{"GET": "ListBucket", "HEAD": "ListBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}[method]
	case known == "bucket versions":
		return "ListBucketVersions"
	case known == "bucket uploads":
		return "ListBucketMultipartUploads"
	case known == "object uploads", known == "object uploadId" && verb == "Put":
		return "PutObject"
	case known == "object uploadId" && method == "DELETE":
		return "AbortMultipartUpload"
	case known == "object uploadId":
		return "ListMultipartUploadParts"
	case known == "object " && version && verb != "Put":
		return verb + "ObjectVersion"
	case known == "object " && verb != "":
		return verb + "Object"
	case known == "object restore":
		return "RestoreObject"
	case level == "object" && s3Objects[sub] != "":
		name := s3Objects[sub]
		if version {
			name = "ObjectVersion" + name[len("Object"):]
		}
		return verb + name
	case level == "bucket" && s3Buckets[sub] != "":
		if verb == "Delete" && sub != "policy" && sub != "website" {
			verb = "Put"
		}
		return verb + s3Buckets[sub]
	}
	return method + ":" + sub
}
