package spelling

import (
	"strings"
	"testing"
)

func TestNearestIsWhatWasMeant(t *testing.T) {
	runtimes := []string{"nodejs22.x", "nodejs24.x", "python3.13", "java21"}
	for word, want := range map[string]string{
		"node22.x": "nodejs22.x", "nodejs22": "nodejs22.x", "pyhton3.13": "python3.13", "Java21": "java21",
		"ruby": "", "": "", "x": "", strings.Repeat("n", 1000): "",
	} {
		if got := Nearest(word, runtimes); got != want {
			t.Errorf("Nearest(%.20q) = %q, want %q", word, got, want)
		}
	}
	if got := Meant("helo", []string{"hello"}); got != ": did you mean hello?" {
		t.Errorf("got %q", got)
	}
}
