package events

import (
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
	"github.com/hearthfn/hearth/tests/objectstore"
)

// putCopyDelete has a store tell of what is done to objects, and checks what a function
// gets of it.
func putCopyDelete(t *testing.T, region string, start func(webhook string) *objectstore.Store, alsoKeys map[string]string) {
	s, r := harness.NewServer(t, "", ""), harness.NewRecorder(t)
	s.Configure("region eu-west-1\n"+r.Function(s, "f", ""), `receive /events/* s3 {
		token `+harness.HookToken+`
		on * photos/** f
	}`)
	s.Start()
	store := start(s.URL("/events/hook"))
	store.MustMakeBucket(t, "photos")
	store.MustMakeBucket(t, "others") // of no rule
	store.MustPut(t, "others", "x", "", []byte("hello"))

	want := make(map[string]bool)
	for _, keys := range []map[string]string{harness.EncodedKeys, alsoKeys} {
		for key, encoded := range keys {
			store.MustPut(t, "photos", key, "text/plain", []byte("hello"))
			store.MustCopy(t, "photos", key, "copy/"+key)
			store.MustDelete(t, "photos", key)
			want["ObjectCreated:Put "+encoded] = true
			want["ObjectCreated:Copy copy/"+encoded] = true
			want["ObjectRemoved:Delete "+encoded] = true
		}
	}
	for _, event := range r.Wait("f", len(want)) {
		got := harness.CheckRecord(t, event, region)
		if !want[got] {
			t.Errorf("got %s, which did not happen, or twice: %s", got, event)
		}
		delete(want, got)
	}
	for missing := range want {
		t.Errorf("no event of %s", missing)
	}
	s.NothingWaits()
	s.TellsNone(harness.HookToken)
}

func TestFunctionsGetEventsOfMinIOAsOfS3(t *testing.T) {
	harness.Parallel(t)
	putCopyDelete(t, "eu-west-1", func(webhook string) *objectstore.Store { return objectstore.StartMinIO(t, webhook, harness.HookToken) }, nil)
}

func TestFunctionsGetEventsOfVersityAsOfS3(t *testing.T) {
	harness.Parallel(t)
	// It cannot set a header, so that its token is in the address.
	putCopyDelete(t, harness.VersityRegion, func(webhook string) *objectstore.Store {
		return objectstore.StartVersity(t, webhook+"?token="+harness.HookToken)
	},
		map[string]string{"a//b.txt": "a//b.txt"})
}
