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
