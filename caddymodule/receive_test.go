package caddymodule

import (
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hearthfn/hearth/invoker/push"
)

func TestADeliveryIsRememberedAsLongAsItsSignatureIsTaken(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		dedupe   time.Duration
		delivery push.Delivery
		want     time.Duration
	}{
		"without a signature":              {0, push.Delivery{}, 10 * time.Minute},
		"without a signature, configured":  {time.Hour, push.Delivery{}, time.Hour},
		"signed without a time":            {0, push.Delivery{Signed: true}, 24 * time.Hour},
		"signed without a time, and short": {time.Minute, push.Delivery{Signed: true}, time.Minute},
		"taken for less":                   {0, push.Delivery{Signed: true, Until: now.Add(time.Minute)}, 10 * time.Minute},
		"taken for longer":                 {0, push.Delivery{Signed: true, Until: now.Add(65 * time.Minute)}, 65*time.Minute + time.Second},
		"taken for longer than configured": {time.Minute, push.Delivery{Signed: true, Until: now.Add(5 * time.Minute)}, 5*time.Minute + time.Second},
	} {
		h := &Receive{Dedupe: caddy.Duration(test.dedupe)}
		if got := h.onceFor(&test.delivery, now); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
