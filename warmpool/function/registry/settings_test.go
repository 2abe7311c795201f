package registry_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/state"
)

func TestSettingHangsOnWhatItMay(t *testing.T) {
	r := open(t)
	weighted(t, r, 0.5)
	put := map[string]func(qualifier string) error{
		"url": func(q string) error {
			_, err := r.CreateURL(ctx, "f", q, func(*registry.URLConfig) error { return nil })
			return err
		},
		"invoke": func(q string) error {
			_, err := r.InvokeConfig.Put(ctx, "f", q, func(*registry.InvokeConfig, bool) error { return nil })
			return err
		},
		"provisioned": func(q string) error {
			_, err := r.Provisioned.Put(ctx, "f", q, func(*registry.Provisioned, bool) error { return nil })
			return err
		},
		"concurrency": func(q string) error {
			_, err := r.Concurrency.Put(ctx, "f", q, func(*registry.Concurrency, bool) error { return nil })
			return err
		},
	}
	tests := []struct {
		kind, qualifier string
		want            error
	}{
		{"url", latest, nil},
		{"url", "live", nil},
		{"url", "1", registry.ErrInvalid},
		{"invoke", latest, nil},
		{"invoke", "1", nil},
		{"invoke", "live", nil},
		{"invoke", "9", registry.ErrNotFound},
		{"invoke", "none", registry.ErrNotFound},
		{"invoke", "", registry.ErrInvalid},
		{"invoke", "a/b", registry.ErrInvalid},
		{"provisioned", latest, registry.ErrInvalid},
		{"provisioned", "1", nil},
		{"provisioned", "live", nil},
		{"concurrency", latest, nil},
		{"concurrency", "1", registry.ErrInvalid},
	}
	for _, test := range tests {
		if err := put[test.kind](test.qualifier); !errors.Is(err, test.want) {
			t.Errorf("%s on %q: %v, want %v", test.kind, test.qualifier, err, test.want)
		}
	}
}

func TestSettingIsPutReadListedAndDeleted(t *testing.T) {
	r := open(t)
	weighted(t, r, 0.5)
	_, err := r.InvokeConfig.Read(ctx, "f", latest)
	wantError(t, "before", err, registry.ErrNotFound)
	put := func(qualifier, destination string, existed bool) registry.InvokeConfig {
		t.Helper()
		got, err := r.InvokeConfig.Put(ctx, "f", qualifier, func(c *registry.InvokeConfig, exists bool) error {
			if exists != existed || exists != (c.OnFailure != "") {
				t.Errorf("exists is %v, present is %+v", exists, c)
			}
			c.OnFailure = destination
			return nil
		})
		if err != nil || got.OnFailure != destination || got.LastModified.IsZero() {
			t.Fatalf("%+v, %v", got, err)
		}
		return got
	}
	put(latest, "arn:1", false)
	want := put(latest, "arn:2", true)
	if got, err := r.InvokeConfig.Read(ctx, "f", latest); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	put("live", "arn:3", false)
	var got []string
	for after := ""; ; {
		page, next, err := r.InvokeConfig.List(ctx, "f", after, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range page {
			got = append(got, q.Qualifier)
		}
		if after = next; next == "" {
			break
		}
	}
	if !slices.Equal(got, []string{latest, "live"}) {
		t.Errorf("listed are %q", got)
	}
	if err := r.DeleteAlias(ctx, "f", "live"); err != nil {
		t.Fatal(err)
	}
	_, err = r.InvokeConfig.Read(ctx, "f", "live")
	wantError(t, "of the deleted alias", err, registry.ErrNotFound)
	if err := r.InvokeConfig.Delete(ctx, "f", latest, nil); err != nil {
		t.Fatal(err)
	}
	wantError(t, "again", r.InvokeConfig.Delete(ctx, "f", latest, nil), registry.ErrNotFound)
	refusal := errors.New("no")
	_, err = r.InvokeConfig.Put(ctx, "f", latest, func(*registry.InvokeConfig, bool) error { return refusal })
	wantError(t, "the caller's own", err, refusal)
}

func TestURLIsFoundByItsID(t *testing.T) {
	store := openStore(t)
	r, other := on(t, store), on(t, store)
	weighted(t, r, 0.5)
	auth := func(auth string) func(*registry.URLConfig) error {
		return func(u *registry.URLConfig) error { u.AuthType = auth; return nil }
	}
	first, err := r.CreateURL(ctx, "f", "live", auth("NONE"))
	if err != nil || len(first.ID) != 32 || first.CreationTime.IsZero() {
		t.Fatalf("%+v, %v", first, err)
	}
	_, err = r.CreateURL(ctx, "f", "live", auth("NONE"))
	wantError(t, "a second one", err, registry.ErrConflict)
	_, err = r.UpdateURL(ctx, "f", latest, auth("NONE"))
	wantError(t, "updating none", err, registry.ErrNotFound)
	_, err = r.CreateURL(ctx, "g", latest, auth("NONE"))
	wantError(t, "of no function", err, registry.ErrNotFound)
	if owners, err := store.Owners(ctx, "url/", "", 10); err != nil || len(owners) != 1 {
		t.Errorf("the refused left %v, %v", owners, err)
	}
	for _, node := range []*registry.Registry{r, other} {
		for range 2 { // read, then cached
			got, err := node.URL(ctx, first.ID)
			if err != nil || got.FunctionName != "f" || got.Qualifier != "live" || got.AuthType != "NONE" {
				t.Fatalf("%+v, %v", got, err)
			}
		}
	}
	if _, err := r.UpdateURL(ctx, "f", "live", func(u *registry.URLConfig) error { *u = registry.URLConfig{AuthType: "AWS_IAM"}; return nil }); err != nil {
		t.Fatal(err)
	}
	got, err := r.URL(ctx, first.ID)
	if err != nil || got.AuthType != "AWS_IAM" || got.ID != first.ID || got.CreationTime != first.CreationTime {
		t.Errorf("%+v, %v", got, err)
	}
	until(t, "the other node has heard of the update", func() bool {
		got, err := other.URL(ctx, first.ID)
		return err == nil && got.AuthType == "AWS_IAM"
	})
	if allocations := testing.AllocsPerRun(100, func() { _, _ = r.URL(ctx, first.ID) }); allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
	if err := r.DeleteURL(ctx, "f", "live"); err != nil {
		t.Fatal(err)
	}
	second, err := r.CreateURL(ctx, "f", "live", auth("NONE"))
	if err != nil || second.ID == first.ID {
		t.Fatalf("%+v, %v", second, err)
	}
	for _, id := range []string{first.ID, "", "../f", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"} {
		_, err := r.URL(ctx, id)
		wantError(t, id, err, registry.ErrNotFound)
	}
	// An alias that goes takes its URL with it.
	if err := r.DeleteAlias(ctx, "f", "live"); err != nil {
		t.Fatal(err)
	}
	_, err = r.URL(ctx, second.ID)
	wantError(t, "of the deleted alias", err, registry.ErrNotFound)
}

func TestPolicyHasItsOwnRevision(t *testing.T) {
	r := open(t)
	mustCreate(t, r, "f")
	add := func(sid, revision string) (registry.Policy, error) {
		return r.Policies.Put(ctx, "f", latest, func(p *registry.Policy, _ bool) error {
			if err := p.Check(revision); err != nil {
				return err
			}
			return p.Add(registry.Statement{Sid: sid, Effect: "Allow", Principal: json.RawMessage(`"*"`), Action: "lambda:InvokeFunction"})
		})
	}
	first, err := add("one", "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = add("one", "")
	wantError(t, "the same id", err, registry.ErrConflict)
	second, err := add("two", first.RevisionID)
	if err != nil || len(second.Statements) != 2 || second.RevisionID == first.RevisionID {
		t.Fatalf("%+v, %v", second, err)
	}
	_, err = add("three", first.RevisionID)
	wantError(t, "a stale revision", err, registry.ErrPrecondition)
	_, err = r.Policies.Put(ctx, "f", latest, func(p *registry.Policy, _ bool) error { return p.Remove("none") })
	wantError(t, "removing none", err, registry.ErrNotFound)
	left, err := r.Policies.Put(ctx, "f", latest, func(p *registry.Policy, _ bool) error { return p.Remove("one") })
	if err != nil || len(left.Statements) != 1 || left.Statements[0].Sid != "two" {
		t.Errorf("%+v, %v", left, err)
	}
}

func TestLayerVersionsAreNumberedAndListedNewestFirst(t *testing.T) {
	r := open(t)
	const versions = 150
	for i := range versions {
		l, err := r.PublishLayer(ctx, registry.LayerVersion{Name: "l", Code: registry.Code{SHA256: fmt.Sprint(i)}})
		if err != nil || l.Version != uint64(i+1) {
			t.Fatalf("version %d, %v", l.Version, err)
		}
	}
	for _, gone := range []uint64{150, 149, 100, 1} {
		if err := r.DeleteLayerVersion(ctx, "l", gone); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.DeleteLayerVersion(ctx, "l", 1); err != nil {
		t.Errorf("deleting the deleted: %v", err)
	}
	var got []uint64
	for before, pages := uint64(0), 0; ; pages++ {
		page, next, err := r.LayerVersions(ctx, "l", before, 40)
		if err != nil || len(page) > 40 || pages > 10 {
			t.Fatalf("page %d of %d, %v", pages, len(page), err)
		}
		for _, l := range page {
			got = append(got, l.Version)
		}
		if before = next; next == 0 {
			break
		}
	}
	var want []uint64
	for v := uint64(148); v > 1; v-- {
		if v != 100 {
			want = append(want, v)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed are %v", got)
	}
	if l, err := r.PublishLayer(ctx, registry.LayerVersion{Name: "l"}); err != nil || l.Version != 151 {
		t.Errorf("version %d, %v: numbers are not reused", l.Version, err)
	}
	_, err := r.LayerVersion(ctx, "l", 100)
	wantError(t, "the deleted", err, registry.ErrNotFound)
	_, err = r.LayerVersion(ctx, "l/../f", 1)
	wantError(t, "a bad name", err, registry.ErrInvalid)
	if _, err := r.PublishLayer(ctx, registry.LayerVersion{Name: "a", CompatibleRuntimes: []string{"nodejs22.x"}}); err != nil {
		t.Fatal(err)
	}
	page, next, err := r.Layers(ctx, "", 1, nil)
	if err != nil || len(page) != 1 || page[0].Name != "a" || next != "a" {
		t.Fatalf("%v, %q, %v", page, next, err)
	}
	page, next, err = r.Layers(ctx, next, 1, nil)
	if err != nil || len(page) != 1 || page[0].Version != 151 || next != "" {
		t.Errorf("%v, %q, %v", page, next, err)
	}
	page, _, err = r.Layers(ctx, "", 9, func(l *registry.LayerVersion) bool { return len(l.CompatibleRuntimes) > 0 || l.Version == 2 })
	if err != nil || len(page) != 2 || page[1].Version != 2 {
		t.Errorf("%v, %v", page, err)
	}
}

func TestLayerPolicyIsPartOfItsVersion(t *testing.T) {
	r := open(t)
	if _, err := r.PublishLayer(ctx, registry.LayerVersion{Name: "l"}); err != nil {
		t.Fatal(err)
	}
	add := func(p *registry.Policy) error { return p.Add(registry.Statement{Sid: "s"}) }
	p, err := r.LayerPolicy(ctx, "l", 1, add)
	if err != nil || p.RevisionID == "" || len(p.Statements) != 1 {
		t.Fatalf("%+v, %v", p, err)
	}
	_, err = r.LayerPolicy(ctx, "l", 1, add)
	wantError(t, "again", err, registry.ErrConflict)
	_, err = r.LayerPolicy(ctx, "l", 2, add)
	wantError(t, "no such version", err, registry.ErrNotFound)
	if _, err := r.LayerPolicy(ctx, "l", 1, func(p *registry.Policy) error { return p.Remove("s") }); err != nil {
		t.Fatal(err)
	}
	if l, err := r.LayerVersion(ctx, "l", 1); err != nil || l.Policy != nil {
		t.Errorf("%+v, %v", l.Policy, err)
	}
}

// A record as it was written before its settings were a struct of their own. Fields may move
// between structs, but not in what is kept.
const oldMapping = `{"UUID":"0b6d1d1e-5d2c-4c3f-9a57-2f3f3c1f8a11","FunctionName":"f","Qualifier":"$LATEST","LastModified":"2026-10-01T12:00:00Z","State":"Enabled",` +
	`"EventSourceArn":"arn:aws:kinesis:us-east-1:000000000000:stream/s","StartingPosition":"AT_TIMESTAMP","StartingPositionTimestamp":"2026-09-01T00:00:00Z",` +
	`"BatchSize":7,"MaximumBatchingWindowInSeconds":0,"ParallelizationFactor":2,"MaximumRecordAgeInSeconds":-1,"MaximumRetryAttempts":3,"TumblingWindowInSeconds":0,` +
	`"MaximumConcurrency":4,"BisectBatchOnFunctionError":false,"FunctionResponseTypes":["ReportBatchItemFailures"],"Filters":["{}"],"OnFailure":"arn:aws:sqs:us-east-1:000000000000:q",` +
	`"Topics":["t"],"Queues":["q"],"KMSKeyArn":"k","Tags":{"a":"b"},"Source":{"ProvisionedPollerConfig":{"MinimumPollers":1}}}`

func TestOldRecordsOfMappingsAreRead(t *testing.T) {
	store := openStore(t)
	r := on(t, store)
	var old map[string]any
	if err := json.Unmarshal([]byte(oldMapping), &old); err != nil {
		t.Fatal(err)
	}
	id := old["UUID"].(string)
	if _, err := store.Change(ctx, "mapping/"+id, state.Put("mapping", state.Any, []byte(`{"format":1,"data":`+oldMapping+`}`))); err != nil {
		t.Fatal(err)
	}
	m, err := r.Mapping(ctx, id)
	if err != nil || m.BatchSize == nil || *m.BatchSize != 7 || m.MaximumRetryAttempts == nil || *m.MaximumRetryAttempts != 3 ||
		m.BisectBatchOnFunctionError == nil || *m.BisectBatchOnFunctionError || !slices.Equal(m.FunctionResponseTypes, []string{"ReportBatchItemFailures"}) {
		t.Fatalf("%+v, %v", m, err)
	}
	if _, err := r.UpdateMapping(ctx, id, func(*registry.Mapping) error { return nil }); err != nil {
		t.Fatal(err)
	}
	record, err := store.Read(ctx, state.Key{Owner: "mapping/" + id, Name: "mapping"})
	if err != nil {
		t.Fatal(err)
	}
	var written struct{ Data map[string]any }
	if err := json.Unmarshal(record.Value, &written); err != nil {
		t.Fatal(err)
	}
	delete(old, "LastModified") // which the update changes
	delete(written.Data, "LastModified")
	if !reflect.DeepEqual(written.Data, old) {
		t.Errorf("kept is\n%v, was\n%v", written.Data, old)
	}
}

func TestMappingsAreRecords(t *testing.T) {
	store := openStore(t)
	r := on(t, store)
	weighted(t, r, 0.5)
	var uuids []string
	for i := range 5 {
		m, err := r.CreateMapping(ctx, registry.Mapping{
			FunctionName: "f", Qualifier: "live", EventSourceArn: fmt.Sprint("arn:", i%2), State: "Creating",
			Source: map[string]json.RawMessage{"SelfManagedEventSource": json.RawMessage(`{"Endpoints":{}}`)},
		})
		if err != nil {
			t.Fatal(err)
		}
		uuids = append(uuids, m.UUID)
	}
	slices.Sort(uuids)
	_, err := r.CreateMapping(ctx, registry.Mapping{FunctionName: "g", Qualifier: latest})
	wantError(t, "of no function", err, registry.ErrNotFound)
	page, next, err := r.Mappings(ctx, "", 3, nil)
	if err != nil || len(page) != 3 || next != uuids[2] || page[0].UUID != uuids[0] {
		t.Fatalf("%v, %q, %v", page, next, err)
	}
	page, next, err = r.Mappings(ctx, next, 3, nil)
	if err != nil || len(page) != 2 || next != "" {
		t.Errorf("%v, %q, %v", page, next, err)
	}
	page, _, err = r.Mappings(ctx, "", 9, func(m *registry.Mapping) bool { return m.EventSourceArn == "arn:1" })
	if err != nil || len(page) != 2 {
		t.Errorf("%v, %v", page, err)
	}
	m, err := r.UpdateMapping(ctx, uuids[0], func(m *registry.Mapping) error { m.State = "Enabled"; return nil })
	if err != nil || m.State != "Enabled" || string(m.Source["SelfManagedEventSource"]) != `{"Endpoints":{}}` {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err = r.DeleteMapping(ctx, uuids[0]); err != nil || m.UUID != uuids[0] {
		t.Errorf("%+v, %v", m, err)
	}
	_, err = r.DeleteMapping(ctx, uuids[0])
	wantError(t, "deleting again", err, registry.ErrNotFound)
	_, err = r.UpdateMapping(ctx, uuids[0], func(*registry.Mapping) error { return nil })
	wantError(t, "updating the deleted", err, registry.ErrNotFound)
	_, err = r.Mapping(ctx, "../../etc")
	wantError(t, "no UUID", err, registry.ErrNotFound)
	owners, err := store.Owners(ctx, "mapping/", "", 10)
	if err != nil || len(owners) != 4 {
		t.Errorf("owners %v, %v: a deleted mapping leaves nothing", owners, err)
	}
}
