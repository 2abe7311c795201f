package sigv4_test

import (
	"testing"

	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
)

func TestAServiceWithoutRegionsMayBeSignedForItsOwnRegion(t *testing.T) {
	v := verifier(t, func(c *sigv4.Config) {
		c.Region, c.Services, c.Global = "eu-west-1", []string{"lambda", "iam"}, []string{"iam"}
	})
	for _, test := range []struct {
		service, region string
		good            bool
	}{
		{"iam", "us-east-1", true},
		{"iam", "eu-west-1", true}, // another derived key
		{"iam", "us-east-1", true},
		{"iam", "eu-west-2", false},
		{"lambda", "eu-west-1", true},
		{"lambda", "us-east-1", false},
	} {
		r := sign(t, received("POST", "/", "a=b"), "a=b", func(s *signing) { s.service, s.region = test.service, test.region })
		if _, err := v.Begin(r, test.service); (err == nil) != test.good {
			t.Errorf("%s in %s: %v", test.service, test.region, err)
		}
	}
}
