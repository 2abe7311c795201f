package autoscaling

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hearthfn/hearth/invoker/scaling"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

const (
	namespace = "lambda"
	dimension = "lambda:function:ProvisionedConcurrency"
	maxPage   = 50
	maxTags   = 50
)

// A place is what calls are about.
type place struct {
	ServiceNamespace, ResourceID, ScalableDimension string
}

// resource is the resource of a place.
func (p place) resource() (scaling.Resource, error) {
	if err := checkNamespace(p.ServiceNamespace, p.ScalableDimension, true); err != nil {
		return scaling.Resource{}, err
	}
	r, ok := scaling.ParseResource(p.ResourceID)
	if !ok {
		return r, invalid("Resource id '%.300s' is none of a function's version or alias: function:NAME:VERSION or function:NAME:ALIAS.", p.ResourceID)
	}
	return r, nil
}

func checkNamespace(service, dim string, needed bool) error {
	switch {
	case service == "":
		return missing("serviceNamespace")
	case service != namespace:
		return invalid("Service namespace %.64s is not supported: Hearth scales functions (lambda).", service)
	case dim == "" && needed:
		return missing("scalableDimension")
	case dim != "" && dim != dimension:
		return invalid("Unsupported service namespace, resource type or scalable dimension: %.128s; for lambda it is %s.", dim, dimension)
	}
	return nil
}

func missing(member string) error {
	return invalid("1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", member)
}

func notFound(what string, p place) error {
	return &apiError{"ObjectNotFoundException", "No " + what + " found for service namespace: " + p.ServiceNamespace + ", resource ID: " + p.ResourceID + ", scalable dimension: " + p.ScalableDimension}
}

type suspended struct {
	DynamicScalingInSuspended, DynamicScalingOutSuspended, ScheduledScalingSuspended *bool `json:",omitempty"`
}

type registerInput struct {
	ServiceNamespace, ResourceID, ScalableDimension string
	MinCapacity, MaxCapacity                        *int
	RoleARN                                         string
	SuspendedState                                  *suspended
	Tags                                            map[string]string
}

type registerOutput struct{ ScalableTargetARN string }

// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
func (a *API) registerTarget(ctx context.Context, in *registerInput) (*registerOutput, error) {
	r, err := place{in.ServiceNamespace, in.ResourceID, in.ScalableDimension}.resource()
	if err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	if err := a.exists(ctx, r); errors.Is(err, registry.ErrNotFound) {
		return nil, invalid("Lambda function version or alias does not exist: %s", r)
	} else if err != nil {
		return nil, err
	}
	all, err := a.store.All(ctx)
	if err != nil {
		return nil, err
	}
	out := new(registerOutput)
	err = a.store.Change(ctx, r, func(d *scaling.Document) (*scaling.Document, error) {
		if d == nil {
			switch {
			case in.MinCapacity == nil || in.MaxCapacity == nil:
				return nil, invalid("MinCapacity and MaxCapacity are required to register a new scalable target.")
			case len(all) >= scaling.MaxTargets:
				return nil, &apiError{"LimitExceededException", "There are too many scalable targets."}
			}
			d = &scaling.Document{ID: newID(), Created: time.Now().UTC(), Tags: in.Tags}
		} else if len(in.Tags) > 0 {
			return nil, invalid("Tags cannot be given for a scalable target that is registered already; use TagResource.")
		}
		set(&d.Min, in.MinCapacity)
		set(&d.Max, in.MaxCapacity)
		if d.Min < 0 || d.Max < d.Min {
			return nil, invalid("Maximum capacity cannot be less than minimum capacity, and neither less than 0.")
		}
		if in.RoleARN != "" {
			d.RoleARN = in.RoleARN
		}
		if s := in.SuspendedState; s != nil {
			set(&d.InSuspended, s.DynamicScalingInSuspended)
			set(&d.OutSuspended, s.DynamicScalingOutSuspended)
			set(&d.ScheduledSuspended, s.ScheduledScalingSuspended)
		}
		out.ScalableTargetARN = a.targetARN(d.ID)
		return d, nil
	})
	return out, err
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// newID is the ID of a scalable target.
func newID() string { return strings.ReplaceAll(uuid.NewString(), "-", "") }

func (a *API) targetARN(id string) string {
	return "arn:aws:application-autoscaling:" + a.account.Region + ":" + a.account.ID + ":scalable-target/" + id
}

// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DeregisterScalableTarget.html
func (a *API) deregisterTarget(ctx context.Context, in *place) (struct{}, error) {
	return struct{}{}, a.change(ctx, *in, func(d *scaling.Document) (*scaling.Document, error) { return nil, nil })
}

// change changes a document that has to be there.
func (a *API) change(ctx context.Context, p place, change func(d *scaling.Document) (*scaling.Document, error)) error {
	r, err := p.resource()
	if err != nil {
		return err
	}
	return a.store.Change(ctx, r, func(d *scaling.Document) (*scaling.Document, error) {
		if d == nil {
			return nil, notFound("scalable target", p)
		}
		return change(d)
	})
}

type describeTargetsInput struct {
	ServiceNamespace, ScalableDimension string
	ResourceIDs                         []string `json:"ResourceIds"`
	MaxResults                          *int
	NextToken                           string
}

// A named resource is how answers say what they are about.
type named struct {
	ServiceNamespace  string
	ResourceID        string `json:"ResourceId"`
	ScalableDimension string
}

func nameOf(r scaling.Resource) named { return named{namespace, r.String(), dimension} }

type target struct {
	named
	RoleARN, ScalableTargetARN string
	MinCapacity, MaxCapacity   int
	CreationTime               timestamp
	SuspendedState             suspended
}

type targetsOutput struct {
	ScalableTargets []target
	NextToken       string `json:",omitempty"`
}

// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalableTargets.html
func (a *API) describeTargets(ctx context.Context, in *describeTargetsInput) (*targetsOutput, error) {
	out := &targetsOutput{ScalableTargets: []target{}}
	if err := checkNamespace(in.ServiceNamespace, in.ScalableDimension, false); err != nil {
		return nil, err
	}
	var all []target
	err := a.each(ctx, func(r scaling.Resource, d *scaling.Document) {
		if len(in.ResourceIDs) > 0 && !slices.Contains(in.ResourceIDs, r.String()) {
			return
		}
		all = append(all, target{
			nameOf(r), a.roleOf(d), a.targetARN(d.ID), d.Min, d.Max, timestamp(d.Created),
			suspended{&d.InSuspended, &d.OutSuspended, &d.ScheduledSuspended},
		})
	})
	if err != nil {
		return nil, err
	}
	out.ScalableTargets, out.NextToken, err = page(all, in.MaxResults, in.NextToken)
	return out, err
}

// roleOf is the role of a target: the one that AWS makes for it, if none was given.
func (a *API) roleOf(d *scaling.Document) string {
	if d.RoleARN != "" {
		return d.RoleARN
	}
	return "arn:aws:iam::" + a.account.ID + ":role/aws-service-role/lambda.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_LambdaConcurrency"
}

// each visits all documents in the order of their resources.
func (a *API) each(ctx context.Context, visit func(scaling.Resource, *scaling.Document)) error {
	all, err := a.store.All(ctx)
	if err != nil {
		return err
	}
	for _, r := range all {
		d, err := a.store.Read(ctx, r)
		if errors.Is(err, scaling.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		visit(r, d)
	}
	return nil
}

// page is the part of all that a call wants. A token says where the next page begins.
func page[T any](all []T, most *int, token string) (part []T, next string, err error) {
	n := maxPage
	if most != nil {
		if *most < 1 || *most > maxPage {
			return nil, "", invalid("MaxResults is %d, and has to be 1 to %d.", *most, maxPage)
		}
		n = *most
	}
	from, ok := 0, true
	if token != "" {
		from, ok = parseToken(token)
	}
	if !ok {
		return nil, "", &apiError{"InvalidNextTokenException", "The specified next token is invalid."}
	}
	part = all[min(from, len(all)):min(from+n, len(all))]
	if from+n < len(all) {
		next = newToken(from + n)
	}
	return slices.Concat([]T{}, part), next, nil
}

type tagInput struct {
	ResourceARN string
	Tags        map[string]string
	TagKeys     []string
}

type tagsOutput struct{ Tags map[string]string }

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return &apiError{"TooManyTagsException", "A resource has up to 50 tags."}
	}
	for key, value := range tags {
		if key == "" || len(key) > 128 || len(value) > 256 || strings.HasPrefix(strings.ToLower(key), "aws:") {
			return invalid("Tag %.130q: a key has 1 to 128 characters and does not begin with aws:, a value up to 256.", key)
		}
	}
	return nil
}

// changeTags changes the tags of the target with an ARN.
func (a *API) changeTags(ctx context.Context, arn string, change func(tags map[string]string) error) (map[string]string, error) {
	absent := &apiError{"ResourceNotFoundException", "The specified resource doesn't exist."}
	var found scaling.Resource
	err := a.each(ctx, func(r scaling.Resource, d *scaling.Document) {
		if a.targetARN(d.ID) == arn {
			found = r
		}
	})
	if err != nil {
		return nil, err
	}
	if found == (scaling.Resource{}) {
		return nil, absent
	}
	var tags map[string]string
	err = a.store.Change(ctx, found, func(d *scaling.Document) (*scaling.Document, error) {
		if d == nil || a.targetARN(d.ID) != arn {
			return nil, absent
		}
		tags = maps.Clone(d.Tags)
		if tags == nil {
			tags = make(map[string]string)
		}
		if change == nil {
			return nil, scaling.ErrNothing
		}
		if err := change(tags); err != nil {
			return nil, err
		}
		d.Tags = tags
		return d, nil
	})
	if errors.Is(err, scaling.ErrNothing) {
		err = nil
	}
	return tags, err
}

// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TagResource.html
func (a *API) tagResource(ctx context.Context, in *tagInput) (struct{}, error) {
	_, err := a.changeTags(ctx, in.ResourceARN, func(tags map[string]string) error {
		maps.Copy(tags, in.Tags)
		return checkTags(tags)
	})
	return struct{}{}, err
}

// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_UntagResource.html
func (a *API) untagResource(ctx context.Context, in *tagInput) (struct{}, error) {
	_, err := a.changeTags(ctx, in.ResourceARN, func(tags map[string]string) error {
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
		return nil
	})
	return struct{}{}, err
}

// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_ListTagsForResource.html
func (a *API) listTags(ctx context.Context, in *tagInput) (*tagsOutput, error) {
	tags, err := a.changeTags(ctx, in.ResourceARN, nil)
	return &tagsOutput{tags}, err
}
