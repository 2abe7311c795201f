package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// Keys of routes of a WebSocket API that AWS has made. The keys of the others are what the
// route selection expression makes of a message.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-routes.html
const (
	ConnectRoute    = "$connect"
	DisconnectRoute = "$disconnect"
	DefaultRoute    = "$default"
)

// maxSocketKey bounds the key of a route of a WebSocket API, in bytes.
const maxSocketKey = 512

// CheckSocketKey checks the key of a route of a WebSocket API.
func CheckSocketKey(key string) error {
	switch {
	case key == ConnectRoute, key == DisconnectRoute, key == DefaultRoute:
	case key == "" || len(key) > maxSocketKey:
		return fmt.Errorf("route: a key has 1 to %d bytes", maxSocketKey)
	case strings.HasPrefix(key, "$"):
		return fmt.Errorf("route %q: of the keys with a dollar sign, there are %s, %s and %s", key, ConnectRoute, DisconnectRoute, DefaultRoute)
	}
	return nil
}

// checkSocket checks a WebSocket API, and sets its defaults.
func (a *API) checkSocket() error {
	a.RouteSelection = cmp.Or(a.RouteSelection, DefaultSelection)
	if _, err := ParseSelection(a.RouteSelection); err != nil {
		return err
	}
	if a.Cors != nil {
		return errors.New("cors: browsers ask a WebSocket API for no permission")
	}
	seen := make(map[string]bool, len(a.Routes))
	for n := range a.Routes {
		r := &a.Routes[n]
		if err := CheckSocketKey(r.Key); err != nil {
			return err
		}
		switch i := &r.Integration; {
		case seen[r.Key]:
			return fmt.Errorf("route %q is there twice", r.Key)
		case i.Broken == "" && i.Type != Lambda:
			return fmt.Errorf("route %q: integration type %q: WebSocket APIs have %s", r.Key, i.Type, Lambda)
		case i.Broken == "" && i.Function == "":
			return fmt.Errorf("route %q: the name of a function is missing", r.Key)
		case (r.Authorization.Authorizer != "" || r.Authorization.IAM) && r.Key != ConnectRoute:
			return fmt.Errorf("route %q: only %s has an authorizer, which decides for the whole connection", r.Key, ConnectRoute)
		case len(r.Authorization.Scopes) > 0 && r.Authorization.Authorizer == "":
			return fmt.Errorf("route %q: scopes without an authorizer that could check them", r.Key)
		case len(r.UsagePlans) > 0:
			return fmt.Errorf("route %q: WebSocket APIs have no usage plans of the configuration yet", r.Key)
		case r.KeyRequired && r.Key != ConnectRoute:
			return fmt.Errorf("route %q: only %s takes an API key, for the whole connection", r.Key, ConnectRoute)
		case r.Validation != nil:
			return fmt.Errorf("route %q: %w", r.Key, errValidation)
		case r.Responds && (r.Key == ConnectRoute || r.Key == DisconnectRoute):
			return fmt.Errorf("route %q: only messages have a response", r.Key)
		}
		seen[r.Key] = true
		if err := r.Throttle.check(); err != nil {
			return fmt.Errorf("route %q: %w", r.Key, err)
		}
	}
	return nil
}
