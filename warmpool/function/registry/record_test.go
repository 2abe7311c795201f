package registry

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hearthfn/hearth/warmpool/state"
)

func TestRecordOfANewerFormatIsNamed(t *testing.T) {
	record := state.Record{Key: state.Key{Owner: "function/f", Name: "latest"}, Value: []byte(`{"format":2,"data":{}}`)}
	err := decode(record, new(Version))
	if !errors.Is(err, state.ErrNewer) {
		t.Errorf("error = %v", err)
	}
	for _, damaged := range []string{"", "{", `{"format":1}`, `{"format":0,"data":{}}`, `{"format":1,"data":[]}`, `{"data":{"Version":"1"}}`, "null"} {
		record.Value = []byte(damaged)
		if err := decode(record, new(Version)); !errors.Is(err, state.ErrDamaged) {
			t.Errorf("%q: error = %v", damaged, err)
		}
	}
}

func FuzzRecord(f *testing.F) {
	seed, err := encode(&Version{
		FunctionName: "f", Version: "1", RevisionID: uuid.NewString(), LastModified: time.Unix(1, 0).UTC(), Code: Code{SHA256: "x", Size: 1},
		Configuration: Configuration{Runtime: "nodejs22.x", Environment: map[string]string{"A1": "b"}, Layers: []Layer{{ARN: "a"}}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"format":1,"data":{"Weights":{"2":0.5}}}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		record := state.Record{Key: state.Key{Owner: "function/f", Name: "latest"}, Value: value}
		for _, into := range []any{new(Version), new(Alias), new(LayerVersion), new(Mapping), new(head)} {
			err := decode(record, into)
			if err != nil {
				if !errors.Is(err, state.ErrDamaged) && !errors.Is(err, state.ErrNewer) {
					t.Fatalf("error = %v", err)
				}
				continue
			}
			// What is read can be written and means the same.
			record := record
			if record.Value, err = encode(into); err != nil {
				t.Fatalf("%T of %q cannot be written: %v", into, value, err)
			}
			again := reflect.New(reflect.TypeOf(into).Elem()).Interface()
			if err := decode(record, again); err != nil {
				t.Fatalf("%T of %q is not read again: %v", into, record.Value, err)
			}
			twice, err := encode(again)
			if err != nil || string(twice) != string(record.Value) {
				t.Fatalf("%T: %q, %q, %v", into, record.Value, twice, err)
			}
		}
	})
}

func FuzzVersionQualifier(f *testing.F) {
	for _, seed := range []string{"$LATEST", "1", "01", "", "18446744073709551615", "18446744073709551616", "-1", "live"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, qualifier string) {
		record, ok := recordOf(qualifier)
		if ok != (record != "") {
			t.Fatalf("%q: %q, %v", qualifier, record, ok)
		}
		if ok && checkAliasName(qualifier) == nil {
			t.Fatalf("%q is a version and an alias", qualifier)
		}
	})
}
