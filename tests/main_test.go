package tests

import (
	// What the main package imports that xcaddy.sh generates. It is no package of
	// the module, so without these go mod tidy would forget what it needs.
	_ "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)
