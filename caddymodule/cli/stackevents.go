package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// pause waits for a while, or until ctx is done.
func pause(ctx context.Context, length time.Duration) error {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// newEvents are the events of a stack that were not seen, the oldest first.
func (d *stackDeploy) newEvents(ctx context.Context, stack string) (fresh []types.StackEvent, err error) {
	pages := cloudformation.NewDescribeStackEventsPaginator(d.api, &cloudformation.DescribeStackEventsInput{StackName: &stack})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, event := range page.StackEvents { // the newest first
			if d.seen[aws.ToString(event.EventId)] {
				slices.Reverse(fresh)
				return fresh, nil
			}
			fresh = append(fresh, event)
		}
	}
	slices.Reverse(fresh)
	return fresh, nil
}

// skipEvents has the events that are there count as seen.
func (d *stackDeploy) skipEvents(ctx context.Context) error {
	events, err := d.newEvents(ctx, d.name)
	d.remember(events)
	return err
}

func (d *stackDeploy) remember(events []types.StackEvent) {
	if d.seen == nil {
		d.seen = make(map[string]bool)
	}
	for _, event := range events {
		d.seen[aws.ToString(event.EventId)] = true
	}
}

// settled prints events until the stack's operation is over.
func (d *stackDeploy) settled(ctx context.Context, id string) (*types.Stack, error) {
	ctx, cancel := context.WithTimeout(ctx, stackWithin)
	defer cancel()
	wait := 50 * time.Millisecond
	for {
		s, err := describeStack(ctx, d.api, id) // before its events: the last are there then
		if err != nil {
			return nil, err
		}
		events, err := d.newEvents(ctx, id)
		if err != nil {
			return nil, err
		}
		d.remember(events)
		for _, event := range events {
			d.tell(&event)
		}
		if !strings.HasSuffix(string(s.StackStatus), "_IN_PROGRESS") {
			return s, nil
		}
		if err := pause(ctx, wait); err != nil {
			return nil, fmt.Errorf("stack %s is still %s: %w", d.name, s.StackStatus, err)
		}
		wait = min(wait*3/2, time.Second)
	}
}

// tell prints an event. Where something begins, its end says more.
func (d *stackDeploy) tell(event *types.StackEvent) {
	status, reason := string(event.ResourceStatus), aws.ToString(event.ResourceStatusReason)
	isStack := aws.ToString(event.PhysicalResourceId) == aws.ToString(event.StackId)
	if strings.HasSuffix(status, "_IN_PROGRESS") && !isStack {
		return
	}
	line := d.Err.dim(fmt.Sprintf("%-28s", status)) + " " + aws.ToString(event.LogicalResourceId)
	if !isStack {
		line += " (" + aws.ToString(event.ResourceType) + ")"
	}
	if reason != "" {
		line += ": " + reason
	}
	d.say("%s", line)
}
