package notification

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/hearthfn/hearth/invoker/bus"
	"github.com/hearthfn/hearth/warmpool/function"
)

// reasons are what EventBridge's events call the calls that events are of.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
var reasons = map[string]string{
	"ObjectCreated:Put": "PutObject", "ObjectCreated:Post": "POST Object", "ObjectCreated:Copy": "CopyObject",
	"ObjectCreated:CompleteMultipartUpload": "CompleteMultipartUpload",
	"ObjectRemoved:Delete":                  "DeleteObject", "ObjectRemoved:DeleteMarkerCreated": "DeleteObject",
}

// Bridge makes the event for EventBridge of one for functions, which has one record. It is nil if
// EventBridge gets none: of objects that are created and removed it does.
func Bridge(payload []byte, account function.Account) (*bus.Event, error) {
	var in struct {
		Records []struct {
			EventTime         string
			EventName         string
			UserIdentity      struct{ PrincipalID string }
			RequestParameters struct{ SourceIPAddress string }
			ResponseElements  map[string]any
			S3                struct {
				Bucket struct{ Name, ARN string }
				Object struct {
					Key, ETag, VersionID, Sequencer string
					Size                            *json.Number
				}
			}
		}
	}
	if err := json.Unmarshal(payload, &in); err != nil || len(in.Records) != 1 {
		return nil, err
	}
	r := &in.Records[0]
	reason := reasons[r.EventName]
	if reason == "" {
		return nil, nil
	}
	key, err := url.QueryUnescape(r.S3.Object.Key)
	if err != nil {
		return nil, err
	}
	type object struct {
		Key       string       `json:"key"`
		Size      *json.Number `json:"size,omitempty"`
		ETag      string       `json:"etag,omitempty"`
		VersionID string       `json:"version-id,omitempty"`
		Sequencer string       `json:"sequencer,omitempty"`
	}
	detail := struct {
		Version string `json:"version"`
		Bucket  struct {
			Name string `json:"name"`
		} `json:"bucket"`
		Object    object `json:"object"`
		RequestID any    `json:"request-id,omitempty"`
		Requester string `json:"requester,omitempty"`
		Source    string `json:"source-ip-address,omitempty"`
		Reason    string `json:"reason"`
		Deletion  string `json:"deletion-type,omitempty"`
	}{
		Version: "0", RequestID: r.ResponseElements["x-amz-request-id"], Requester: r.UserIdentity.PrincipalID, Source: r.RequestParameters.SourceIPAddress, Reason: reason,
		Object: object{key, r.S3.Object.Size, r.S3.Object.ETag, r.S3.Object.VersionID, r.S3.Object.Sequencer},
	}
	detail.Bucket.Name = r.S3.Bucket.Name
	kind := "Object Created"
	if strings.HasPrefix(r.EventName, "ObjectRemoved:") {
		kind, detail.Deletion = "Object Deleted", "Permanently Deleted"
		if strings.HasSuffix(r.EventName, "MarkerCreated") {
			detail.Deletion = "Delete Marker Created"
		}
	}
	at, err := time.Parse(time.RFC3339, r.EventTime)
	if err != nil {
		at = time.Now() // the store says none
	}
	text, err := json.Marshal(&detail)
	if err != nil {
		return nil, err
	}
	return &bus.Event{
		Version: "0", ID: function.NewRequestID(), DetailType: kind, Source: "aws.s3", Account: account.ID, Time: bus.Stamp(at),
		Region: account.Region, Resources: []string{r.S3.Bucket.ARN}, Detail: text,
	}, nil
}
