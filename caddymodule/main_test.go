package caddymodule

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	serveFunction()
	goleak.VerifyTestMain(m)
}
