package template

import "testing"

func TestASecretWithinAnotherIsRedactedWithIt(t *testing.T) {
	for _, secrets := range [][]string{{"pearl", "pearl-of-1967"}, {"pearl-of-1967", "pearl"}} {
		if got := Redact("a pearl-of-1967 and a pearl", secrets); got != "a **** and a ****" {
			t.Errorf("%q: %s", secrets, got)
		}
	}
}
