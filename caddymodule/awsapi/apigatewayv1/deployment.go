package apigatewayv1

import (
	"cmp"
	"context"
	"slices"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// A Deployment is an API as it was at a time.
// https://docs.aws.amazon.com/apigateway/latest/api/API_Deployment.html
type Deployment struct {
	CreatedDate int64  `json:"createdDate"`
	Description string `json:"description,omitempty"`
	Id          string `json:"id"`
}

// A snapshot is what a deployment serves.
type snapshot struct {
	ApiKeySource     string              `json:"apiKeySource,omitempty"`
	BinaryMediaTypes []string            `json:"binaryMediaTypes,omitempty"`
	Resources        []*Resource         `json:"resources"`
	Authorizers      []*Authorizer       `json:"authorizers,omitempty"`
	Models           []*Model            `json:"models,omitempty"`
	Validators       []*RequestValidator `json:"validators,omitempty"`
	Responses        []*GatewayResponse  `json:"responses,omitempty"`
}

// maxDeployments bounds what an API keeps. AWS has no quota of its own for them.
const maxDeployments = 200

// deploy makes a deployment of what an API has now.
func (s *service) deploy(e *document.Edit, d *Deployment) (err error) {
	d.Id, d.CreatedDate = cmp.Or(d.Id, apigatewayv2.NewID(6)), s.now()
	var now snapshot
	var a RestAPI
	if err := e.Get(docRestAPI, &a); err != nil {
		return err
	}
	now.ApiKeySource, now.BinaryMediaTypes = a.ApiKeySource, a.BinaryMediaTypes
	if now.Resources, err = document.All[Resource](&e.Set, docResource); err != nil {
		return err
	}
	if now.Authorizers, err = document.All[Authorizer](&e.Set, docAuthorizer); err != nil {
		return err
	}
	if now.Models, err = document.All[Model](&e.Set, docModel); err != nil {
		return err
	}
	if now.Validators, err = document.All[RequestValidator](&e.Set, docValidator); err != nil {
		return err
	}
	if now.Responses, err = document.All[GatewayResponse](&e.Set, docResponse); err != nil {
		return err
	}
	methods := 0
	for _, r := range now.Resources {
		for _, m := range r.ResourceMethods {
			if methods++; m.MethodIntegration == nil {
				return invalid("No integration defined for method")
			}
		}
	}
	if methods == 0 {
		return invalid("The REST API doesn't contain any methods")
	}
	// What the data plane makes of it is what counts in the end.
	if err := now.gateway(&a, &Stage{StageName: "any"}).Check(); err != nil {
		return invalid("%v", err)
	}
	if err := e.Put(docSnapshot+d.Id, &now); err != nil {
		return err
	}
	return e.Put(docDeployment+d.Id, d)
}

type deploymentInput struct {
	patches
	paging
	stageMore
	RestApiId, DeploymentId, Description string
	Embed                                []string
	StageDescription, StageName          string
	Variables                            map[string]string
}

func (s *service) createDeployment(ctx context.Context, in *deploymentInput) (*Deployment, error) {
	if err := in.stageMore.check(); err != nil {
		return nil, err
	}
	if in.StageName == "" && (in.StageDescription != "" || len(in.Variables) > 0) {
		return nil, invalid("stageDescription and variables are only for a deployment with a stageName")
	}
	d := &Deployment{}
	return d, s.change(ctx, in.RestApiId, func(e *document.Edit) error {
		*d = Deployment{Id: awsapi.ChosenID(ctx, ""), Description: in.Description}
		if len(e.Names(docDeployment)) >= maxDeployments {
			return &awsapi.Exception{Name: "LimitExceededException", Message: "Maximum number of deployments for this API has been reached: delete some"}
		}
		if err := s.deploy(e, d); err != nil || in.StageName == "" {
			return err
		}
		g := &Stage{StageName: in.StageName, CreatedDate: s.now()}
		if e.Has(docStage + in.StageName) {
			if err := e.Get(docStage+in.StageName, g); err != nil {
				return err
			}
		} else if len(e.Names(docStage)) >= maxStages {
			return errStages
		}
		g.DeploymentId, g.LastUpdatedDate = d.Id, s.now()
		if in.StageDescription != "" {
			g.Description = in.StageDescription
		}
		if in.Variables != nil {
			g.Variables = in.Variables
		}
		if err := g.check(&e.Set); err != nil {
			return err
		}
		return e.Put(docStage+g.StageName, g)
	})
}

func (s *service) getDeployment(ctx context.Context, in *deploymentInput) (any, error) {
	set, err := s.read(ctx, in.RestApiId)
	if err != nil {
		return nil, err
	}
	d, err := find[Deployment](set, docDeployment+in.DeploymentId, "Deployment")
	if err != nil || !slices.Contains(in.Embed, "apisummary") {
		return d, err
	}
	of, err := find[snapshot](set, docSnapshot+in.DeploymentId, "Deployment")
	if err != nil {
		return nil, err
	}
	type method struct {
		ApiKeyRequired    bool   `json:"apiKeyRequired"`
		AuthorizationType string `json:"authorizationType"`
	}
	summary := make(map[string]map[string]method)
	for _, r := range of.Resources {
		for name, m := range r.ResourceMethods {
			if summary[r.Path] == nil {
				summary[r.Path] = make(map[string]method)
			}
			summary[r.Path][name] = method{m.ApiKeyRequired, m.AuthorizationType}
		}
	}
	return struct {
		*Deployment
		ApiSummary map[string]map[string]method `json:"apiSummary"`
	}{d, summary}, nil
}

func (s *service) getDeployments(ctx context.Context, in *deploymentInput) (*list[*Deployment], error) {
	return all(ctx, s, in.RestApiId, docDeployment, func(d *Deployment) string { return d.Id }, in.paging)
}

func (s *service) updateDeployment(ctx context.Context, in *deploymentInput) (d *Deployment, err error) {
	err = s.change(ctx, in.RestApiId, func(e *document.Edit) (err error) {
		if d, err = find[Deployment](&e.Set, docDeployment+in.DeploymentId, "Deployment"); err != nil {
			return err
		}
		can := fields{exact: map[string]field{"/description": text(&d.Description)}}
		if err := can.apply(in.PatchOperations); err != nil {
			return err
		}
		return e.Put(docDeployment+d.Id, d)
	})
	return d, err
}

func (s *service) deleteDeployment(ctx context.Context, in *deploymentInput) (awsapi.None, error) {
	return awsapi.None{}, s.change(ctx, in.RestApiId, func(e *document.Edit) error {
		if _, err := find[Deployment](&e.Set, docDeployment+in.DeploymentId, "Deployment"); err != nil {
			return err
		}
		stages, err := document.All[Stage](&e.Set, docStage)
		if err != nil {
			return err
		}
		for _, g := range stages {
			if g.DeploymentId == in.DeploymentId {
				return invalid("Active stages pointing to this deployment must be moved or deleted")
			}
		}
		e.Delete(docDeployment + in.DeploymentId)
		e.Delete(docSnapshot + in.DeploymentId)
		return nil
	})
}
