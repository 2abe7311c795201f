package objectstore

import "testing"

// TestProgramsAreBuilt builds the stores, so that tests do not wait for that with a room of
// their own: xcaddy.sh has it run beside the tests of packages.
func TestProgramsAreBuilt(t *testing.T) {
	for _, p := range []program{versity, minio} {
		if path := p.path(t); path == "" {
			t.Errorf("%s is nowhere", p.name)
		}
	}
}
