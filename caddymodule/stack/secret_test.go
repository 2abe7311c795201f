package stack

import (
	"context"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/caddymodule/stack/template"
)

func TestEventsDoNotShowSecrets(t *testing.T) {
	of, err := template.Parse([]byte(`{"Parameters":{"P":{"Type":"String","NoEcho":true}},"Resources":{
		"N":{"Type":"T::T","Properties":{"V":{"Fn::Sub":"at ${P}"}}},
		"S":{"Type":"T::T","Properties":{"V":"{{resolve:ssm-secure:/s}}"}},
		"O":{"Type":"T::T","Properties":{"V":"open"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := of.Resolve(template.Input{Parameters: map[string]string{"P": "pearl"}, Dynamic: func(template.Reference) (string, error) { return "ruby", nil }})
	if err != nil {
		t.Fatal(err)
	}
	for id, secret := range map[string]bool{"N": true, "S": true, "O": false} {
		properties, err := plan.Properties(id, attributes(func(string, string) (any, error) { return nil, context.Canceled }))
		if err != nil {
			t.Fatal(err)
		}
		one := Resource{LogicalID: id, Thing: Thing{Properties: properties, Secret: len(plan.Secrets(properties)) > 0}}
		shown := one.event().Properties
		if strings.Contains(shown, "pearl") || strings.Contains(shown, "ruby") || (shown == "") != secret {
			t.Errorf("%s shows %q", id, shown)
		}
	}
}

// An older version kept that a thing has secrets, but not which.
func TestThingsOfOlderVersionsShowNoSecretsInChangeSets(t *testing.T) {
	of, err := template.Parse([]byte(`{"Resources":{"O":{"Type":"T::T"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := of.Resolve(template.Input{})
	if err != nil {
		t.Fatal(err)
	}
	if shown := maskedOf(plan, &Thing{Properties: map[string]any{"V": "pearl"}, Secret: true}); shown != nil {
		t.Errorf("it shows %v", shown)
	}
	if shown := maskedOf(plan, &Thing{Properties: map[string]any{"V": "at pearl", "W": "open"}, Secret: true, Secrets: []string{"pearl"}}); shown["V"] != "****" || shown["W"] != "open" {
		t.Errorf("it shows %v", shown)
	}
}
