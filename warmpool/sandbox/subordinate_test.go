package sandbox

import (
	"strings"
	"testing"
)

func TestWhatAMachineLendsIsTheLargestRangeOfTheUser(t *testing.T) {
	for text, want := range map[string]lentRange{
		"":                     {},
		"other:100000:65536\n": {},
		"me:100000:65536\n":    {100000, 65536},
		"1000:100000:65536":    {100000, 65536},
		"me:100000:10\n1000:300000:70000\nme:400000:20\n": {300000, 70000},
		"# me:1:2\n\nme:x:1\nme:1\nme:1:2:3\n:5:5\n":      {},
		"me:0:65536\n":           {},
		"me:-5:65536\nme:5:-1\n": {},
		"me:4294967290:65536\n":  {},
	} {
		free := firstLent
		got, err := lentIn(strings.NewReader(text), "me", "1000", &free)
		if err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
	free := firstLent
	if _, err := lentIn(strings.NewReader("a:200000:10\nb:100000:65536\n"), "me", "1000", &free); err != nil || free != 200010 {
		t.Errorf("free from %d, %v", free, err)
	}
	if _, err := lentIn(strings.NewReader(strings.Repeat("x", 1<<20)), "me", "1000", &free); err == nil {
		t.Error("a line without end was read")
	}
}
