package scheduler

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hearthfn/hearth/warmpool/state"
)

// maxGroups is how many groups there may be. AWS's quota is 500.
const maxGroups = 500

const defaultGroup = "default"

// A group is the record of a group.
type group struct {
	Name    string
	Created time.Time
	Tags    []tag  `json:",omitempty"`
	Token   string `json:",omitempty"` // of the call that made it
}

type tag struct{ Key, Value string }

// maxTags is AWS's limit.
const maxTags = 50

func merge(tags, more []tag) ([]tag, error) {
	out := slices.Clone(tags)
	for _, t := range more {
		if strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
			return nil, invalid("Tag keys that begin with aws: are reserved for system tags.")
		}
		out = append(slices.DeleteFunc(out, func(had tag) bool { return had.Key == t.Key }), t)
	}
	if len(out) > maxTags {
		return nil, exception("ServiceQuotaExceededException", "A schedule group has %d tags at most.", maxTags)
	}
	slices.SortFunc(out, func(x, y tag) int { return strings.Compare(x.Key, y.Key) })
	return out, nil
}

// findGroup finds a group. The default one is always there.
func (s *service) findGroup(ctx context.Context, name string) (*group, state.Revision, error) {
	g, revision, err := read[group](ctx, s.Records, groupPrefix+name)
	switch {
	case err != nil:
		return nil, 0, err
	case g == nil && name == defaultGroup:
		return &group{Name: name}, revision, nil
	case g == nil:
		return nil, 0, missing("Schedule group %s does not exist.", name)
	}
	return g, revision, nil
}

type createGroupInput struct {
	Name, ClientToken string
	Tags              []tag
}

type groupARN struct{ ScheduleGroupArn string }

// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateScheduleGroup.html
func (s *service) createGroup(ctx context.Context, in *createGroupInput) (*groupARN, error) {
	tags, err := merge(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	groups, _, err := list(ctx, s.Records, groupPrefix, "", 0, func(*group) bool { return true })
	if err != nil {
		return nil, err
	}
	err = change(ctx, s, groupPrefix+in.Name, func(had *group) (*group, []state.Change, error) {
		if had != nil && in.ClientToken != "" && had.Token == in.ClientToken {
			return nil, nil, errMade
		}
		if had != nil || in.Name == defaultGroup {
			return nil, nil, exception("ConflictException", "Schedule group %s already exists.", in.Name)
		}
		if len(groups) >= maxGroups {
			return nil, nil, exception("ServiceQuotaExceededException", "There are %d schedule groups, which is the most.", len(groups))
		}
		return &group{in.Name, s.now(), tags, in.ClientToken}, nil, nil
	})
	if errors.Is(err, errMade) {
		err = nil
	}
	return &groupARN{s.arn("schedule-group/" + in.Name)}, err
}

type shownGroup struct {
	Arn, Name, State string
	CreationDate     *timestamp `json:",omitempty"`

	LastModificationDate *timestamp `json:",omitempty"`
}

func (s *service) showGroup(g *group) *shownGroup {
	out := &shownGroup{Arn: s.arn("schedule-group/" + g.Name), Name: g.Name, State: "ACTIVE"}
	if !g.Created.IsZero() {
		out.CreationDate, out.LastModificationDate = stamp(&g.Created), stamp(&g.Created)
	}
	return out
}

type nameInput struct{ Name, ClientToken string }

// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_GetScheduleGroup.html
func (s *service) getGroup(ctx context.Context, in *nameInput) (*shownGroup, error) {
	g, _, err := s.findGroup(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return s.showGroup(g), nil
}

// deleteGroup deletes the group's schedules too.
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_DeleteScheduleGroup.html
func (s *service) deleteGroup(ctx context.Context, in *nameInput) (*struct{}, error) {
	if in.Name == defaultGroup {
		return nil, invalid("Cannot delete default schedule group.")
	}
	err := change(ctx, s, groupPrefix+in.Name, func(had *group) (*group, []state.Change, error) {
		if had == nil {
			return nil, nil, missing("Schedule group %s does not exist.", in.Name)
		}
		return nil, nil, nil
	})
	if err != nil {
		return nil, err
	}
	// Without its group a schedule does not run. If this process dies here, it is removed when
	// a group of that name is deleted again.
	for {
		some, err := s.Records.List(ctx, owner, schedulePrefx+in.Name+"/", "", page)
		if err != nil || len(some) == 0 {
			s.Schedules.changed()
			return &struct{}{}, err
		}
		changes := make([]state.Change, len(some))
		for n, r := range some {
			changes[n] = state.Delete(r.Name, state.Any)
		}
		if _, err := s.Records.Change(ctx, owner, changes...); err != nil {
			return nil, err
		}
	}
}

type listGroupsInput struct {
	NamePrefix, NextToken string
	MaxResults            int
}

type groupsOutput struct {
	ScheduleGroups []*shownGroup
	NextToken      string `json:",omitempty"`
}

// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_ListScheduleGroups.html
func (s *service) listGroups(ctx context.Context, in *listGroupsInput) (*groupsOutput, error) {
	groups, _, err := list(ctx, s.Records, groupPrefix, "", 0, func(*group) bool { return true })
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(groups, func(g *group) bool { return g.Name == defaultGroup }) {
		groups = append(groups, &group{Name: defaultGroup})
		slices.SortFunc(groups, func(x, y *group) int { return strings.Compare(x.Name, y.Name) })
	}
	groups = slices.DeleteFunc(groups, func(g *group) bool { return !strings.HasPrefix(g.Name, in.NamePrefix) })
	page, next := cut(groups, func(g *group) string { return g.Name }, in.NextToken, in.MaxResults)
	out := &groupsOutput{[]*shownGroup{}, next}
	for _, g := range page {
		out.ScheduleGroups = append(out.ScheduleGroups, s.showGroup(g))
	}
	return out, nil
}

type tagInput struct {
	ResourceArn string
	Tags        []tag
	TagKeys     []string
}

// tagged changes the tags of a group. Schedules have none.
func (s *service) tagged(ctx context.Context, in *tagInput, edit func(tags []tag) ([]tag, error)) (*struct{}, error) {
	name, err := s.taggedName(in)
	if err != nil {
		return nil, err
	}
	return &struct{}{}, change(ctx, s, groupPrefix+name, func(had *group) (*group, []state.Change, error) {
		if had == nil {
			if name != defaultGroup {
				return nil, nil, missing("Schedule group %s does not exist.", name)
			}
			had = &group{Name: name, Created: s.now()}
		}
		tags, err := edit(had.Tags)
		had.Tags = tags
		return had, nil, err
	})
}

func (s *service) taggedName(in *tagInput) (string, error) {
	name, ours := strings.CutPrefix(in.ResourceArn, s.arn("schedule-group/"))
	if !ours {
		return "", missing("Schedule group %s does not exist.", in.ResourceArn)
	}
	return name, nil
}

// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_TagResource.html
func (s *service) tagResource(ctx context.Context, in *tagInput) (*struct{}, error) {
	return s.tagged(ctx, in, func(tags []tag) ([]tag, error) { return merge(tags, in.Tags) })
}

// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UntagResource.html
func (s *service) untagResource(ctx context.Context, in *tagInput) (*struct{}, error) {
	return s.tagged(ctx, in, func(tags []tag) ([]tag, error) {
		return slices.DeleteFunc(tags, func(t tag) bool { return slices.Contains(in.TagKeys, t.Key) }), nil
	})
}

type tagsOutput struct{ Tags []tag }

// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_ListTagsForResource.html
func (s *service) listTags(ctx context.Context, in *tagInput) (*tagsOutput, error) {
	name, err := s.taggedName(in)
	if err != nil {
		return nil, err
	}
	g, _, err := s.findGroup(ctx, name)
	if err != nil {
		return nil, err
	}
	return &tagsOutput{append([]tag{}, g.Tags...)}, nil
}
