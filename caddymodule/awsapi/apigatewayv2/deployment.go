package apigatewayv2

import (
	"context"
	"fmt"
	"time"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// A Deployment is an API as it was at a time.
// https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-deployments.html
type Deployment struct {
	AutoDeployed     bool      `json:"autoDeployed"`
	CreatedDate      time.Time `json:"createdDate"`
	DeploymentId     string    `json:"deploymentId"`
	DeploymentStatus string    `json:"deploymentStatus"`
	Description      string    `json:"description,omitempty"`
}

// A snapshot is what a deployment serves.
type snapshot struct {
	Routes       []*Route       `json:"routes"`
	Integrations []*Integration `json:"integrations"`
	Authorizers  []*Authorizer  `json:"authorizers,omitempty"`
	Cors         *gateway.Cors  `json:"cors,omitempty"`
	// Of a WebSocket API: the expression, and the IDs of the routes with a response.
	Selection  string   `json:"selection,omitempty"`
	Responding []string `json:"responding,omitempty"`
}

// maxDeployments bounds what an API keeps. AWS has no quota of its own for them.
const maxDeployments = 200

// deploy makes a deployment of what an API has now.
func (s *service) deploy(e *document.Edit, d *Deployment) (err error) {
	d.DeploymentId, d.CreatedDate, d.DeploymentStatus = newID(6), s.now(), "DEPLOYED"
	var now snapshot
	var a API
	if now.Routes, err = document.All[Route](&e.Set, docRoute); err != nil {
		return err
	}
	if now.Integrations, err = document.All[Integration](&e.Set, docIntegration); err != nil {
		return err
	}
	if now.Authorizers, err = document.All[Authorizer](&e.Set, docAuthorizer); err != nil {
		return err
	}
	if err := e.Get(docAPI, &a); err != nil {
		return err
	}
	now.Cors = a.CorsConfiguration
	if a.ProtocolType == string(gateway.WebSocket) {
		now.Selection, now.Responding = a.RouteSelectionExpression, responding(&e.Set)
	}
	// What the data plane makes of it is what counts in the end.
	if err := now.gateway(&a, &Stage{StageName: "any"}).Check(); err != nil {
		return invalid("%v", err)
	}
	if err := e.Put(docSnapshot+d.DeploymentId, &now); err != nil {
		return err
	}
	return e.Put(docDeployment+d.DeploymentId, d)
}

// autoDeploy gives stages with AutoDeploy a new deployment, and removes the automatic ones
// that they had.
func (s *service) autoDeploy(e *document.Edit) error {
	stages, err := document.All[Stage](&e.Set, docStage)
	if err != nil {
		return err
	}
	d := &Deployment{AutoDeployed: true, Description: "Automatic deployment triggered by changes to the Api configuration"}
	for _, g := range stages {
		if !g.AutoDeploy {
			continue
		}
		if d.DeploymentId == "" {
			if err := s.deploy(e, d); err != nil {
				return err
			}
		}
		before := g.DeploymentId
		g.DeploymentId, g.LastUpdatedDate = d.DeploymentId, d.CreatedDate
		g.LastDeployment = "Successfully deployed stage with deployment ID '" + d.DeploymentId + "'"
		if err := e.Put(docStage+g.StageName, g); err != nil {
			return err
		}
		if err := dropAutomatic(e, before); err != nil {
			return err
		}
	}
	return nil
}

// dropAutomatic removes an automatic deployment that no stage has.
func dropAutomatic(e *document.Edit, id string) error {
	var d Deployment
	if id == "" || !e.Has(docDeployment+id) {
		return nil
	}
	if err := e.Get(docDeployment+id, &d); err != nil || !d.AutoDeployed {
		return err
	}
	user, err := userOf(&e.Set, id)
	if err != nil || user != "" {
		return err
	}
	e.Delete(docDeployment + id)
	e.Delete(docSnapshot + id)
	return nil
}

// userOf is a stage that has a deployment, "" if none has it.
func userOf(set *document.Set, id string) (string, error) {
	stages, err := document.All[Stage](set, docStage)
	if err != nil {
		return "", err
	}
	for _, g := range stages {
		if g.DeploymentId == id {
			return g.StageName, nil
		}
	}
	return "", nil
}

type deploymentInput struct {
	paging
	ApiId, DeploymentId, Description, StageName string
}

func (s *service) createDeployment(ctx context.Context, in *deploymentInput) (*Deployment, error) {
	d := &Deployment{}
	return d, s.change(ctx, in.ApiId, func(e *document.Edit) error {
		*d = Deployment{Description: in.Description}
		if len(e.Names(docRoute)) == 0 {
			return invalid("At least one route is required before deploying the Api.")
		}
		if len(e.Names(docDeployment)) >= maxDeployments {
			return invalid("Maximum number of deployments for this API has been reached: %d", maxDeployments)
		}
		if err := s.deploy(e, d); err != nil || in.StageName == "" {
			return err
		}
		g, err := find[Stage](&e.Set, docStage, in.StageName, "stage")
		if err != nil {
			return err
		}
		if g.AutoDeploy {
			return invalid("Deployment ID cannot be set on a stage with autoDeploy")
		}
		g.DeploymentId, g.LastUpdatedDate = d.DeploymentId, d.CreatedDate
		return e.Put(docStage+g.StageName, g)
	})
}

func (s *service) getDeployment(ctx context.Context, in *deploymentInput) (*Deployment, error) {
	return get[Deployment](ctx, s, in.ApiId, docDeployment, in.DeploymentId, "Deployment")
}

func (s *service) getDeployments(ctx context.Context, in *deploymentInput) (*list[*Deployment], error) {
	return all(ctx, s, in.ApiId, docDeployment, func(d *Deployment) string { return d.DeploymentId }, in.paging)
}

func (s *service) updateDeployment(r *awsapi.Request) (any, error) {
	in := new(deploymentInput)
	if err := r.Read(in); err != nil {
		return nil, err
	}
	var d *Deployment
	err := s.Store.Change(r.Context(), ownerAPI+in.ApiId, func(e *document.Edit) (err error) {
		if !e.Has(docAPI) {
			return s.missingAPI(in.ApiId)
		}
		if d, err = find[Deployment](&e.Set, docDeployment, in.DeploymentId, "Deployment"); err != nil {
			return err
		}
		if err := r.Read(d); err != nil {
			return err
		}
		return e.Put(docDeployment+d.DeploymentId, d)
	})
	return d, err
}

func (s *service) deleteDeployment(ctx context.Context, in *deploymentInput) (awsapi.None, error) {
	return awsapi.None{}, s.change(ctx, in.ApiId, func(e *document.Edit) error {
		if _, err := find[Deployment](&e.Set, docDeployment, in.DeploymentId, "Deployment"); err != nil {
			return err
		}
		user, err := userOf(&e.Set, in.DeploymentId)
		if err != nil {
			return err
		}
		if user != "" {
			return invalid("Active stages pointing to this deployment must be moved or deleted: %s", fmt.Sprintf("%.128s", user))
		}
		e.Delete(docDeployment + in.DeploymentId)
		e.Delete(docSnapshot + in.DeploymentId)
		return nil
	})
}
