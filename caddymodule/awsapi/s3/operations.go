package s3

import "slices"

var (
	readHeaders  = []string{"checksum-mode"}
	writeHeaders = slices.Concat(checksumHeaders, []string{"trailer", "decoded-content-length"})
	// newHeaders are those of requests that make an object.
	newHeaders  = slices.Concat(writeHeaders, []string{"meta-", "server-side-encryption", "acl", "storage-class"})
	copyHeaders = slices.Concat(newHeaders, []string{"copy-source", "metadata-directive", "tagging-directive",
		"copy-source-if-match", "copy-source-if-none-match", "copy-source-if-modified-since", "copy-source-if-unmodified-since"})
	answerParams = []string{"response-cache-control", "response-content-disposition", "response-content-encoding", "response-content-language", "response-content-type", "response-expires"}
)

// operations are those that are answered, by their method, what they are about, and the
// parameter that names them.
var operations = map[string]*operation{
	"GET service ":        {name: "ListBuckets", run: listBuckets, params: []string{"prefix", "bucket-region"}},
	"PUT bucket ":         {name: "CreateBucket", run: createBucket, headers: slices.Concat(writeHeaders, []string{"acl", "object-ownership", "bucket-object-lock-enabled"}), changes: true},
	"HEAD bucket ":        {name: "HeadBucket", run: headBucket},
	"DELETE bucket ":      {name: "DeleteBucket", run: deleteBucket, changes: true},
	"GET bucket location": {name: "GetBucketLocation", run: getLocation},

	"GET bucket list-type": {name: "ListObjectsV2", run: listObjects, params: []string{"list-type", "prefix", "delimiter", "max-keys", "continuation-token", "start-after", "encoding-type", "fetch-owner"}},
	"GET bucket ":          {name: "ListObjects", run: listObjects, params: []string{"prefix", "delimiter", "max-keys", "marker", "encoding-type"}},
	"POST bucket delete":   {name: "DeleteObjects", run: deleteObjects, headers: writeHeaders, changes: true},

	"PUT object ":      {name: "PutObject", run: putObject, headers: newHeaders, changes: true},
	"PUT object  copy": {name: "CopyObject", run: copyObject, headers: copyHeaders, changes: true},
	"GET object ":      {name: "GetObject", run: getObject, params: append([]string{"versionId"}, answerParams...), headers: readHeaders},
	"HEAD object ":     {name: "HeadObject", run: getObject, params: append([]string{"versionId"}, answerParams...), headers: readHeaders},
	"DELETE object ":   {name: "DeleteObject", run: deleteObject, params: []string{"versionId"}, changes: true},

	"POST object uploads":    {name: "CreateMultipartUpload", run: createUpload, headers: newHeaders, changes: true},
	"PUT object uploadId":    {name: "UploadPart", run: uploadPart, params: []string{"partNumber"}, headers: writeHeaders, changes: true},
	"POST object uploadId":   {name: "CompleteMultipartUpload", run: completeUpload, headers: append([]string{"mp-object-size"}, writeHeaders...), changes: true},
	"DELETE object uploadId": {name: "AbortMultipartUpload", run: abortUpload, changes: true},
	"GET object uploadId":    {name: "ListParts", run: listParts, params: []string{"max-parts", "part-number-marker"}},
	"GET bucket uploads":     {name: "ListMultipartUploads", run: listUploads, params: []string{"prefix", "encoding-type"}},

	"GET bucket versioning":           {name: "GetBucketVersioning", run: getVersioning},
	"PUT bucket versioning":           {name: "PutBucketVersioning", run: putVersioning, headers: writeHeaders, changes: true},
	"GET bucket encryption":           {name: "GetBucketEncryption", run: getEncryption},
	"PUT bucket encryption":           {name: "PutBucketEncryption", run: putEncryption, headers: writeHeaders, changes: true},
	"DELETE bucket encryption":        {name: "DeleteBucketEncryption", run: deleteNothing, changes: true},
	"GET bucket publicAccessBlock":    {name: "GetPublicAccessBlock", run: getPublicAccess},
	"PUT bucket publicAccessBlock":    {name: "PutPublicAccessBlock", run: putPublicAccess, headers: writeHeaders, changes: true},
	"DELETE bucket publicAccessBlock": {name: "DeletePublicAccessBlock", run: deletePublicAccess, changes: true},
	"GET bucket tagging":              {name: "GetBucketTagging", run: getTags},
	"PUT bucket tagging":              {name: "PutBucketTagging", run: putTags, headers: writeHeaders, changes: true},
	"DELETE bucket tagging":           {name: "DeleteBucketTagging", run: deleteTags, changes: true},
	// There are none of these, and none can be made.
	"GET bucket policy":       {name: "GetBucketPolicy", run: missing("NoSuchBucketPolicy", "The bucket policy does not exist")},
	"DELETE bucket policy":    {name: "DeleteBucketPolicy", run: deleteNothing, changes: true},
	"GET bucket lifecycle":    {name: "GetBucketLifecycleConfiguration", run: missing("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")},
	"DELETE bucket lifecycle": {name: "DeleteBucketLifecycle", run: deleteNothing, changes: true},
}
