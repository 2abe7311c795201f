package notification

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// events are all that a configuration may name.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
var events = []string{
	"s3:ReducedRedundancyLostObject",
	"s3:ObjectCreated:*", "s3:ObjectCreated:Put", "s3:ObjectCreated:Post", "s3:ObjectCreated:Copy", "s3:ObjectCreated:CompleteMultipartUpload",
	"s3:ObjectRemoved:*", "s3:ObjectRemoved:Delete", "s3:ObjectRemoved:DeleteMarkerCreated",
	"s3:ObjectRestore:*", "s3:ObjectRestore:Post", "s3:ObjectRestore:Completed", "s3:ObjectRestore:Delete",
	"s3:Replication:*", "s3:Replication:OperationFailedReplication", "s3:Replication:OperationNotTracked",
	"s3:Replication:OperationMissedThreshold", "s3:Replication:OperationReplicatedAfterThreshold",
	"s3:LifecycleExpiration:*", "s3:LifecycleExpiration:Delete", "s3:LifecycleExpiration:DeleteMarkerCreated", "s3:LifecycleTransition",
	"s3:IntelligentTiering", "s3:ObjectTagging:*", "s3:ObjectTagging:Put", "s3:ObjectTagging:Delete", "s3:ObjectAcl:Put",
}

// functionARN is the ARN of a function, with a version or an alias or not.
var functionARN = regexp.MustCompile(`^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[a-zA-Z0-9_-]{1,64}(:(\$LATEST|[a-zA-Z0-9_-]{1,128}))?$`)

// Bounds of what a configuration says, in bytes. AWS's of an ID are 255: what the store has in
// front of it counts, too.
const (
	maxID    = 255 - len(mark)
	maxValue = 1024
)

// Check says what is wrong with the configurations of a bucket, in S3's words where it has any.
func Check(all []Configuration) error {
	for n := range all {
		if err := all[n].check(); err != nil {
			return err
		}
		for before := range n {
			if all[before].ID == all[n].ID {
				return invalid("Same ID used for multiple configurations. IDs must be unique", [2]string{"Id", all[n].ID})
			}
			if err := overlap(&all[before], &all[n]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Configuration) check() error {
	if len(c.ID) > maxID {
		return invalid("The Id of a notification configuration has 239 bytes at most here.")
	}
	if !functionARN.MatchString(c.Function) {
		return invalid("The ARN is not well formed", [2]string{"CloudFunction", c.Function})
	}
	if len(c.Events) == 0 || len(c.Events) > len(events) {
		return errMalformed
	}
	for _, name := range c.Events {
		if !slices.Contains(events, name) {
			return invalid("The event is not supported for notifications", [2]string{"Event", name})
		}
	}
	var seen []string
	for _, r := range c.Rules {
		switch {
		case r.Name != "prefix" && r.Name != "suffix":
			return invalid("filter rule name must be either prefix or suffix", [2]string{"FilterRule.Name", r.Name})
		case slices.Contains(seen, r.Name):
			return invalid("Cannot specify more than one " + r.Name + " rule in a filter.")
		case len(r.Value) > maxValue:
			return invalid("Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation", [2]string{"FilterRule.Value", r.Value})
		}
		if _, err := url.QueryUnescape(r.Value); err != nil {
			return invalid("The value of a filter rule must be URL-encoded.", [2]string{"FilterRule.Value", r.Value})
		}
		seen = append(seen, r.Name)
	}
	return nil
}

// overlap refuses two configurations of which an event could be both's.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
func overlap(a, b *Configuration) error {
	shared := slices.ContainsFunc(a.Events, func(one string) bool {
		return slices.ContainsFunc(b.Events, func(other string) bool { return covers(one, other) || covers(other, one) })
	})
	before, after := [2]string{a.Prefix(), b.Prefix()}, [2]string{a.Suffix(), b.Suffix()}
	switch {
	case !shared,
		!strings.HasPrefix(before[0], before[1]) && !strings.HasPrefix(before[1], before[0]),
		!strings.HasSuffix(after[0], after[1]) && !strings.HasSuffix(after[1], after[0]):
		return nil
	case len(a.Rules) == 0 && len(b.Rules) == 0:
		return invalid("Configurations overlap. Configurations on the same bucket cannot share a common event type.")
	}
	return invalid("Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type.")
}
