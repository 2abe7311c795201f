package stack

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/state"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
)

const hiddenTemplate = `{"Parameters":{"P":{"Type":"String","NoEcho":true},"O":{"Type":"String"}},"Resources":{
	"N":{"Type":"T::T","Properties":{"V":{"Fn::Sub":"${P} and ${O}"}}}}}`

// rewrite changes a record as it is stored.
func rewrite(t *testing.T, e *Engine, of *ChangeSet, change func(request map[string]any)) []byte {
	t.Helper()
	key := state.Key{Owner: owner(of.StackID), Name: recordChangeSet + of.Name}
	record, err := e.Store.Read(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(record.Value, &all); err != nil {
		t.Fatal(err)
	}
	change(all["Request"].(map[string]any))
	data, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Store.Change(t.Context(), key.Owner, state.Put(key.Name, record.Revision, data)); err != nil {
		t.Fatal(err)
	}
	return data
}

// engineOn makes an engine, as a node has it, for stacks of a type of which nothing is made.
func engineOn(t *testing.T, store Store, key func() []byte) *Engine {
	e := New(Config{
		Store: store, Log: zap.NewNop(), Services: func() Services { return Services{} },
		Settings: func() Settings {
			return Settings{Account: function.DefaultAccount, IgnoreTypes: []string{"T::T"}, Key: key()}
		},
	})
	t.Cleanup(e.Close)
	return e
}

func openStore(t *testing.T) Store {
	t.Helper()
	store, err := boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "state.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func TestChangeSetsFromBeforeTheEncryptionOfSecretsKeepTheirValues(t *testing.T) {
	var key atomic.Uint32 // the engine reads it from goroutines of its own
	e := engineOn(t, openStore(t), func() []byte { return bytes.Repeat([]byte{byte(key.Load())}, 32) })
	made := make(map[string]*ChangeSet)
	for _, name := range []string{"older", "other"} {
		in := &Request{Name: name, Body: hiddenTemplate, Given: Given{Values: map[string]string{"P": "pearl", "O": "open"}}}
		var err error
		if made[name], err = e.CreateChangeSet(t.Context(), in, "c", "CREATE", ""); err != nil {
			t.Fatal(err)
		}
	}
	// The record as it was before.
	rewrite(t, e, made["older"], func(request map[string]any) {
		for _, name := range []string{"Given", "Hidden", "Sealed"} {
			if request[name] == nil {
				t.Errorf("the record has no %s", name)
			}
			delete(request, name)
		}
		request["Values"] = map[string]string{"P": "pearl", "O": "open"}
	})
	id, err := e.Execute(t.Context(), "older", "c", "", Identity{}, "", false)
	if err != nil {
		t.Fatal(err)
	}
	e.Await(t.Context(), id, time.Minute)
	there, err := e.store.resources(t.Context(), id)
	if err != nil || len(there) != 1 || there[0].Properties["V"] != "pearl and open" {
		t.Errorf("the stack has %+v %v", there, err)
	}
	if data := rewrite(t, e, made["older"], func(map[string]any) {}); strings.Contains(string(data), "pearl") {
		t.Errorf("after its execution the record has the secret: %s", data)
	}

	key.Store(1)
	if _, err := e.Execute(t.Context(), "other", "c", "", Identity{}, "", false); err == nil || !strings.Contains(err.Error(), "encrypted under other credentials") {
		t.Errorf("with a key that cannot read the values: %v", err)
	}
}
