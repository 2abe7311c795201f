package stack

import (
	"context"

	"github.com/hearthfn/hearth/caddymodule/stack/template"
)

// importless refuses a change set that is to take over what is there already, if something is. A
// stack has what it made. cdk bootstrap asks for it always.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html
func (e *Engine) importless(ctx context.Context, s *Stack, in *Request, plan *template.Plan) error {
	there, err := e.store.resources(ctx, s.ID)
	if err != nil {
		return err
	}
	own := make(map[string]bool, len(there))
	for _, one := range there {
		own[one.LogicalID] = one.Status != Deleted
	}
	r := &run{engine: e, stack: s, resources: make(map[string]*Resource), caller: e.callerOf(in.By.actor())}
	for _, id := range plan.Order() {
		planned := plan.Resource(id)
		t := e.typeOf(planned.Type)
		if own[id] || t.plan == nil || t.exists == nil {
			continue
		}
		properties, err := plan.Preview(id, attributes(unmade))
		if err != nil {
			return explained(err)
		}
		w := r.newWork(id, planned.Type)
		if w.New = properties; properties == nil {
			w.New = map[string]any{}
		}
		w.ID = t.plan(w)
		// A name that depends on other resources finds nothing, or an error. If there is something by
		// that name, it is found when the resource is made.
		if exists, err := t.exists(ctx, w); err == nil && exists {
			return invalid("Imports of resources are not supported: %s %s of the template (resource %s) exists already. Delete it, or do not set ImportExistingResources.", planned.Type, w.ID, id)
		}
	}
	return nil
}
