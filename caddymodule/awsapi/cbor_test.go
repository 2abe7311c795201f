package awsapi

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
)

func TestTimesOfCBORHaveAllYears(t *testing.T) {
	for _, year := range []int{1, 1969, 1970, 2026, 2262, 2263, 9999} {
		at := time.Date(year, 5, 6, 7, 8, 9, 500e6, time.UTC)
		body, err := cbor.Marshal(map[string]any{"EndTime": cbor.Tag{Number: 1, Content: float64(at.Unix()) + 0.5}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeCBOR(body)
		if want := json.Number(fmt.Sprintf("%d.5", at.Unix())); at.Unix() >= 0 && (err != nil || got["EndTime"] != want) {
			t.Errorf("%d: got %v, want %s: %v", year, got["EndTime"], want, err)
		}
	}
}

func FuzzCBOR(f *testing.F) {
	for _, value := range []any{
		map[string]any{"a": []any{1, -1, 1.5, "x", []byte("y"), nil, true, cbor.SimpleValue(99)}}, map[string]any{"t": cbor.Tag{Number: 1, Content: 1e300}},
		map[string]any{"t": cbor.Tag{Number: 0, Content: "2026-11-29T12:00:00Z"}}, map[int]int{1: 2},
	} {
		body, err := cbor.Marshal(value)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte("\x9b\x7f\xff\xff\xff\xff\xff\xff\xff")) // a list of very many elements
	f.Fuzz(func(t *testing.T, body []byte) {
		if object, err := decodeCBOR(body); err == nil && object == nil {
			t.Error("neither an object nor an error")
		}
	})
}
