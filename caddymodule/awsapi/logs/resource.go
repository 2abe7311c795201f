package logs

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/logs"
)

// violation is AWS's error for a value that its service model does not allow.
func violation(value, member, constraint string) error {
	return invalid("1 validation error detected: Value '%.512s' at '%s' failed to satisfy constraint: %s", value, member, constraint)
}

func missing(member string) error {
	return invalid("1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", member)
}

type createLogGroupInput struct {
	LogGroupName              string            `json:"logGroupName"`
	KMSKeyID                  string            `json:"kmsKeyId"`
	Tags                      map[string]string `json:"tags"`
	LogGroupClass             string            `json:"logGroupClass"`
	DeletionProtectionEnabled bool              `json:"deletionProtectionEnabled"`
}

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
func (a *API) createLogGroup(_ context.Context, in *createLogGroupInput) (struct{}, error) {
	switch {
	case in.LogGroupName == "":
		return struct{}{}, missing("logGroupName")
	case len(in.LogGroupName) > 512:
		return struct{}{}, violation(in.LogGroupName, "logGroupName", "Member must have length less than or equal to 512")
	case !function.ValidLogGroup(in.LogGroupName):
		return struct{}{}, violation(in.LogGroupName, "logGroupName", `Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+`)
	case in.KMSKeyID != "":
		return struct{}{}, invalid("kmsKeyId is not supported: there is no KMS here; encrypt the disk of this machine.")
	case in.LogGroupClass != "" && in.LogGroupClass != "STANDARD":
		return struct{}{}, invalid("logGroupClass %.64s is not supported: all groups are of the class STANDARD.", in.LogGroupClass)
	case in.DeletionProtectionEnabled:
		return struct{}{}, invalid("deletionProtectionEnabled is not supported: groups can be deleted.")
	}
	if err := checkTags(in.Tags); err != nil {
		return struct{}{}, err
	}
	g, err := a.store.Named(in.LogGroupName)
	if err != nil {
		return struct{}{}, err
	}
	err = g.Create(in.Tags, time.Now())
	if errors.Is(err, logs.ErrGroupExists) {
		err = &apiError{"ResourceAlreadyExistsException", "The specified log group already exists"}
	}
	return struct{}{}, err
}

type streamInput struct {
	groupName
	LogStreamName string `json:"logStreamName"`
}

var streamPattern = regexp.MustCompile(`^[^:*\n]{1,512}$`)

func (in *streamInput) check() error {
	switch {
	case in.LogStreamName == "":
		return missing("logStreamName")
	case !streamPattern.MatchString(in.LogStreamName):
		return violation(in.LogStreamName, "logStreamName", "Member must satisfy regular expression pattern: [^:*]*")
	}
	return nil
}

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogStream.html
func (a *API) createLogStream(ctx context.Context, in *streamInput) (struct{}, error) {
	g, err := a.findStream(ctx, in)
	if err != nil {
		return struct{}{}, err
	}
	err = g.CreateStream(ctx, in.LogStreamName, time.Now())
	switch {
	case errors.Is(err, logs.ErrStreamExists):
		err = &apiError{"ResourceAlreadyExistsException", "The specified log stream already exists"}
	case errors.Is(err, logs.ErrTooMany):
		err = &apiError{"LimitExceededException", err.Error()}
	}
	return struct{}{}, err
}

// findStream is find for a call about a stream.
func (a *API) findStream(ctx context.Context, in *streamInput) (*logs.Group, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	return a.find(ctx, in.groupName)
}

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteLogStream.html
func (a *API) deleteLogStream(ctx context.Context, in *streamInput) (struct{}, error) {
	g, err := a.findStream(ctx, in)
	if err != nil {
		return struct{}{}, err
	}
	err = g.DeleteStream(ctx, in.LogStreamName)
	switch {
	case errors.Is(err, logs.ErrNoStream):
		err = errNoStream
	case errors.Is(err, logs.ErrTooMany):
		err = &apiError{"LimitExceededException", err.Error()}
	}
	return struct{}{}, err
}

// Limits of PutLogEvents.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
const (
	maxPutEvents  = 10000
	maxPutBytes   = 1 << 20 // of all texts, each with eventOverhead
	maxEventBytes = 1 << 20
	eventOverhead = 26
	maxSpan       = 24 * time.Hour
	maxAge        = 14 * 24 * time.Hour

	// AWS takes events of the next two hours. Readers here stop at the first event
	// that is past the time they look for, so that one may not be of tomorrow.
	maxAhead = time.Second
)

type putLogEventsInput struct {
	streamInput
	LogEvents []struct {
		Timestamp *int64  `json:"timestamp"`
		Message   *string `json:"message"`
	} `json:"logEvents"`
}

type (
	putLogEventsOutput struct {
		NextSequenceToken     string    `json:"nextSequenceToken"` // not looked at since 2023, at AWS too
		RejectedLogEventsInfo *rejected `json:"rejectedLogEventsInfo,omitempty"`
	}
	rejected struct {
		TooNewLogEventStartIndex *int `json:"tooNewLogEventStartIndex,omitempty"`
		TooOldLogEventEndIndex   *int `json:"tooOldLogEventEndIndex,omitempty"`
		ExpiredLogEventEndIndex  *int `json:"expiredLogEventEndIndex,omitempty"`
	}
)

func (a *API) putLogEvents(ctx context.Context, in *putLogEventsInput) (*putLogEventsOutput, error) {
	if err := in.checkEvents(); err != nil {
		return nil, err
	}
	g, err := a.findStream(ctx, &in.streamInput)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	out := &putLogEventsOutput{NextSequenceToken: fmt.Sprintf("%056d", now.UnixNano())}
	var messages []logs.Message
	var refused rejected
	for i := range in.LogEvents {
		e := &in.LogEvents[i]
		at := time.UnixMilli(*e.Timestamp)
		after := i + 1
		switch {
		case at.After(now.Add(maxAhead)):
			if refused.TooNewLogEventStartIndex == nil {
				refused.TooNewLogEventStartIndex = &i
			}
		case now.Sub(at) > maxAge:
			refused.TooOldLogEventEndIndex = &after
		case g.Retention() > 0 && now.Sub(at) > time.Duration(g.Retention())*24*time.Hour:
			refused.ExpiredLogEventEndIndex = &after
		default:
			messages = append(messages, logs.Message{Time: at, Text: []byte(*e.Message)})
		}
	}
	if refused != (rejected{}) {
		out.RejectedLogEventsInfo = &refused
	}
	err = g.Put(ctx, in.LogStreamName, messages)
	switch {
	case errors.Is(err, logs.ErrNoStream):
		err = errNoStream
	case errors.Is(err, logs.ErrFull):
		err = &apiError{"ServiceUnavailableException", err.Error()}
	}
	return out, err
}

func (in *putLogEventsInput) checkEvents() error {
	if in.LogEvents == nil {
		return missing("logEvents")
	}
	if n := len(in.LogEvents); n == 0 || n > maxPutEvents {
		return invalid("1 validation error detected: %d log events at 'logEvents' failed to satisfy constraint: Member must have length from 1 to %d", n, maxPutEvents)
	}
	var size int
	var first, last int64
	for i, e := range in.LogEvents {
		member := fmt.Sprintf("logEvents.%d.member.", i+1)
		switch {
		case e.Timestamp == nil:
			return missing(member + "timestamp")
		case *e.Timestamp < 0:
			return violation(fmt.Sprint(*e.Timestamp), member+"timestamp", "Member must have value greater than or equal to 0")
		case e.Message == nil:
			return missing(member + "message")
		case *e.Message == "":
			return violation("", member+"message", "Member must have length greater than or equal to 1")
		case len(*e.Message)+eventOverhead > maxEventBytes:
			return invalid("Log event too large: %d bytes exceeds limit of %d", len(*e.Message)+eventOverhead, maxEventBytes)
		case i > 0 && *e.Timestamp < last:
			return invalid("Log events in a single PutLogEvents request must be in chronological order.")
		}
		if last = *e.Timestamp; i == 0 {
			first = last
		}
		size += len(*e.Message) + eventOverhead
	}
	switch {
	case size > maxPutBytes:
		return invalid("Upload too large: %d bytes exceeds limit of %d", size, maxPutBytes)
	case last-first > maxSpan.Milliseconds():
		return invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
	}
	return nil
}

// maxTags is AWS's limit.
const maxTags = 50

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return &apiError{"TooManyTagsException", fmt.Sprintf("A log group has %d tags at most.", maxTags)}
	}
	for key, value := range tags {
		switch {
		case key == "" || utf8.RuneCountInString(key) > 128 || utf8.RuneCountInString(value) > 256:
			return invalid("The key of a tag has 1 to 128 characters, its value 256 at most.")
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return invalid("Tag keys that begin with aws: are reserved.")
		}
	}
	return nil
}

type tagInput struct {
	ResourceARN  string            `json:"resourceArn"`
	LogGroupName string            `json:"logGroupName"` // of the calls before TagResource
	Tags         map[string]string `json:"tags"`
	TagKeys      []string          `json:"tagKeys"`
}

type tagsOutput struct {
	Tags map[string]string `json:"tags"`
}

// tagged finds the group of a call about tags.
func (a *API) tagged(ctx context.Context, in *tagInput) (*logs.Group, error) {
	if in.LogGroupName != "" {
		return a.find(ctx, groupName{LogGroupName: in.LogGroupName})
	}
	if in.ResourceARN == "" {
		return nil, missing("resourceArn")
	}
	if !strings.HasPrefix(in.ResourceARN, "arn:") {
		return nil, violation(in.ResourceARN, "resourceArn", `Member must satisfy regular expression pattern: [\w+=/:,.@-]*`)
	}
	return a.find(ctx, groupName{LogGroupIdentifier: in.ResourceARN})
}

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_ListTagsForResource.html
func (a *API) listTags(ctx context.Context, in *tagInput) (*tagsOutput, error) {
	g, err := a.tagged(ctx, in)
	if err != nil {
		return nil, err
	}
	out := &tagsOutput{Tags: g.Tags()}
	if out.Tags == nil {
		out.Tags = map[string]string{}
	}
	return out, nil
}

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_TagResource.html
func (a *API) tagResource(ctx context.Context, in *tagInput) (struct{}, error) {
	if len(in.Tags) == 0 {
		return struct{}{}, missing("tags")
	}
	g, err := a.tagged(ctx, in)
	if err != nil {
		return struct{}{}, err
	}
	return struct{}{}, g.SetTags(func(tags map[string]string) error {
		for key, value := range in.Tags {
			tags[key] = value
		}
		return checkTags(tags)
	})
}

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_UntagResource.html
func (a *API) untagResource(ctx context.Context, in *tagInput) (struct{}, error) {
	if in.TagKeys == nil {
		return struct{}{}, missing("tagKeys")
	}
	g, err := a.tagged(ctx, in)
	if err != nil {
		return struct{}{}, err
	}
	return struct{}{}, g.SetTags(func(tags map[string]string) error {
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
		return nil
	})
}

type untagLogGroupInput struct {
	LogGroupName string   `json:"logGroupName"`
	Tags         []string `json:"tags"`
}

// untagLogGroup is UntagResource as it was before.
func (a *API) untagLogGroup(ctx context.Context, in *untagLogGroupInput) (struct{}, error) {
	return a.untagResource(ctx, &tagInput{LogGroupName: in.LogGroupName, TagKeys: in.Tags})
}
