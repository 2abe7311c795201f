package logs

import (
	"context"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi/logs/insights"
)

type groupFieldsInput struct {
	groupName
	Time *int64 `json:"time"` // Unix seconds
}

type groupFieldsOutput struct {
	LogGroupFields []insights.Name `json:"logGroupFields"`
}

// Times whose events are looked at: the last quarter of an hour, or around the one that is given.
const (
	fieldsBefore = 15 * time.Minute
	fieldsAround = 8 * time.Minute
)

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogGroupFields.html
func (a *API) getLogGroupFields(ctx context.Context, in *groupFieldsInput) (*groupFieldsOutput, error) {
	g, err := a.find(ctx, in.groupName)
	if err != nil {
		return nil, err
	}
	to := time.Now().Add(time.Second) // what is logged now is in it
	from := to.Add(-fieldsBefore)
	if in.Time != nil {
		at, err := momentOf("time", *in.Time, 0)
		if err != nil {
			return nil, err
		}
		from, to = at.Add(-fieldsAround), at.Add(fieldsAround)
	}
	found, err := insights.Fields(ctx, g, from, to)
	if err != nil {
		return nil, err
	}
	return &groupFieldsOutput{found}, nil
}
