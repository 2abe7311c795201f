package apigateway_test

import (
	"testing"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
)

func TestDotSegmentsAreFoundHoweverTheyAreWritten(t *testing.T) {
	for path, want := range map[string]bool{
		"/a/../b": true, "/a/./b": true, "/..": true, "/a/%2e%2E/b": true, "/a/.%2e": true, "/a%2f..%2fb": true, "/%2e": true,
		"/a/...": false, "/a/..b": false, "/a..b/.c/d.": false, "/a/%252e%252e/b": false, "/": false, "": false, "/a%2fb": false,
	} {
		if got := apigateway.HasDots(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}
