package pull

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/state"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
)

// A countingRecords counts what is read.
type countingRecords struct {
	state.Records
	reads atomic.Int64
}

func (c *countingRecords) Read(ctx context.Context, key state.Key) (state.Record, error) {
	c.reads.Add(1)
	return c.Records.Read(ctx, key)
}

func TestABatchThatEndsAsTheOneBeforeReadsNoRecord(t *testing.T) {
	store, err := boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "state.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	records := &countingRecords{Records: store}
	all, err := registry.New(registry.Config{Records: records, CodePath: func(registry.Code) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	reg := all.With([]*function.Function{{Name: "f", Version: function.Latest}})
	e := New(Config{Registry: func() *registry.Registry { return reg }, Store: store, Account: function.DefaultAccount, Log: zap.NewNop()})
	defer e.Close(context.Background())
	m, err := reg.CreateMapping(t.Context(), registry.Mapping{FunctionName: "f", Qualifier: "$LATEST", EventSourceArn: "arn:aws:sqs:us-east-1:000000000000:q"})
	if err != nil {
		t.Fatal(err)
	}
	check := func(want string) {
		t.Helper()
		if got, err := reg.Mapping(t.Context(), m.UUID); err != nil || got.LastResult != want {
			t.Errorf("the record says %q, %v; want %q", got.LastResult, err, want)
		}
	}

	e.result(m.UUID, "OK")
	check("OK")
	before := records.reads.Load()
	for range 100 {
		e.result(m.UUID, "OK")
	}
	if n := records.reads.Load() - before; n != 0 {
		t.Errorf("100 batches that end as the one before read %d records", n)
	}
	e.result(m.UUID, "PROBLEM: Function call failed")
	check("PROBLEM: Function call failed")
	e.result(m.UUID, "OK")
	check("OK")
}
