package caddymodule

import (
	"net/http/httptest"
	"testing"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
)

// A stage in percent-encoding is the stage: its routes, with their authorizers, take the rest of
// the path, and functions find the stage in front of it.
func TestAStageIsFoundHoweverItIsWritten(t *testing.T) {
	api := &apigatewayv2.Served{Stages: map[string]*gateway.API{"dev": {ID: "dev"}, "$default": {ID: "$default"}}}
	for path, want := range map[string][3]string{
		"/dev/admin":      {"dev", "/dev", "/dev/admin"},
		"/%64ev/admin":    {"dev", "/dev", "/dev/admin"},
		"/%64%65v":        {"dev", "/dev", "/dev"},
		"/%64ev/a%2F%c3":  {"dev", "/dev", "/dev/a%2F%c3"},
		"/dev/%61":        {"dev", "/dev", "/dev/%61"},
		"//dev/admin":     {"dev", "/dev", "/dev/admin"},
		"///%64ev//admin": {"dev", "/dev", "/dev//admin"},
		"//%2Fdev/admin":  {"$default", "", "/%2Fdev/admin"},
		"/dev%2Fadmin":    {"$default", "", "/dev%2Fadmin"},
		"/$default/admin": {"$default", "", "/$default/admin"},
		"/DEV/admin":      {"$default", "", "/DEV/admin"},
	} {
		r := httptest.NewRequest("GET", "http://h"+path, nil)
		asked := r
		r = oneSlash(r)
		of, stagePath := stageOf(api, apigateway.Canonical(r.URL.EscapedPath()))
		got := below(r, stagePath).URL.EscapedPath()
		if of.ID != want[0] || stagePath != want[1] || got != want[2] {
			t.Errorf("%s: stage %q below %q, path %q, want %q", path, of.ID, stagePath, got, want)
		}
		if asked.URL.EscapedPath() != path {
			t.Errorf("%s: the request itself was changed to %s", path, asked.URL.EscapedPath())
		}
	}
}
