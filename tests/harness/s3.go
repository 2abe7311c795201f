package harness

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// EncodedKeys are odd keys, and how S3 writes them in its events.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
var EncodedKeys = map[string]string{
	"a b.txt":          "a+b.txt",
	"c+d.txt":          "c%2Bd.txt",
	"ü.txt":            "%C3%BC.txt",
	"100%.txt":         "100%25.txt",
	"%2F.txt":          "%252F.txt",
	"what?.txt":        "what%3F.txt",
	"x&y=z#1;2.txt":    "x%26y%3Dz%231%3B2.txt",
	"in/日本/😀 .png":     "in/%E6%97%A5%E6%9C%AC/%F0%9F%98%80+.png",
	`it's (1)*"@,.txt`: "it%27s+%281%29*%22%40%2C.txt",
	"-_.!:$~":          "-_.%21%3A%24%7E",
}

// An s3Record has the fields that AWS's documentation has, by the names it has them.
type s3Record struct {
	EventVersion      string `json:"eventVersion"`
	EventSource       string `json:"eventSource"`
	AWSRegion         string `json:"awsRegion"`
	EventTime         string `json:"eventTime"`
	EventName         string `json:"eventName"`
	UserIdentity      struct{ PrincipalID *string }
	RequestParameters map[string]any `json:"requestParameters"`
	ResponseElements  map[string]any `json:"responseElements"`
	Glacier           any            `json:"glacierEventData"`
	S3                struct {
		SchemaVersion   string `json:"s3SchemaVersion"`
		ConfigurationID string `json:"configurationId"`
		Bucket          struct{ Name, ARN string }
		Object          struct {
			Key       string
			Size      json.Number
			ETag      string
			Sequencer string
		}
	}
}

// VersityRegion is what Versity says that its region is; MinIO says nothing. Versity
// does not know the size of a copy either.
const VersityRegion = "us-east-1"

var s3Time = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)

// CheckRecord fails unless an event is as S3 has it, and returns its name and key.
func CheckRecord(t *testing.T, event, region string) string {
	t.Helper()
	var e struct{ Records []s3Record }
	if err := json.Unmarshal([]byte(event), &e); err != nil || len(e.Records) != 1 {
		t.Fatalf("%d records, %v in %s", len(e.Records), err, event)
	}
	r := e.Records[0]
	if r.EventVersion != "2.1" || r.EventSource != "aws:s3" || r.AWSRegion != region || !s3Time.MatchString(r.EventTime) ||
		r.UserIdentity.PrincipalID == nil || r.RequestParameters == nil || r.ResponseElements == nil ||
		r.S3.SchemaVersion != "1.0" || r.S3.Bucket.Name != "photos" || r.S3.Bucket.ARN != "arn:aws:s3:::photos" || r.S3.Object.Sequencer == "" || r.Glacier != nil {
		t.Errorf("not as S3 has it: %s", event)
	}
	object := r.S3.Object
	size, tag := "5", "5d41402abc4b2a76b9719d911017c592"
	switch {
	case strings.HasPrefix(r.EventName, "ObjectRemoved:"):
		size, tag = "", ""
	case r.EventName == "ObjectCreated:Copy" && region == VersityRegion:
		size = ""
	}
	if object.Size.String() != size || object.ETag != tag {
		t.Errorf("size %q and ETag %q, want %q and %q: %s", object.Size, object.ETag, size, tag, event)
	}
	return r.EventName + " " + object.Key
}
