package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hearthfn/hearth/caddymodule/stack/template"
	"github.com/hearthfn/hearth/warmpool/state"
)

// A valuePair is what a change set keeps of a resource that changes.
type valuePair struct{ Before, After map[string]any }

// putValues is the change that keeps what the resources of a change set change from and to.
func putValues(c *ChangeSet) (state.Change, error) {
	all := make(map[string]valuePair, len(c.Changes))
	for _, one := range c.Changes {
		all[one.LogicalID] = valuePair{one.Before, one.After}
	}
	data, err := json.Marshal(all)
	if err != nil {
		return state.Change{}, err
	}
	change := putTemplate(c.Values, string(data))
	if len(change.Value) > state.MaxValue {
		return change, invalid("The properties of the change set are larger than this server keeps: %d bytes, compressed", len(change.Value))
	}
	return change, nil
}

// ReadValues fills in Before and After of the changes of a change set.
func (e *Engine) ReadValues(ctx context.Context, c *ChangeSet) error {
	if c.Values == "" {
		return nil // an older version has made it
	}
	text, err := e.store.template(ctx, c.StackID, c.Values)
	if errors.Is(err, state.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var all map[string]valuePair
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return fmt.Errorf("values of change set %q: %w: %w", c.ID, state.ErrDamaged, err)
	}
	for n := range c.Changes {
		pair := all[c.Changes[n].LogicalID]
		c.Changes[n].Before, c.Changes[n].After = pair.Before, pair.After
	}
	return nil
}

// maskedOf are the properties of a thing as they are shown.
func maskedOf(plan *template.Plan, t *Thing) map[string]any {
	if t.Secret && len(t.Secrets) == 0 {
		return nil // an older version has made it, and has not kept which of its texts are secret
	}
	plan.Hide(t.Secrets)
	return plan.Masked(t.Properties)
}
