package python_test

import (
	"testing"
)

func TestResultsAreJSONAsLambdaWritesIt(t *testing.T) {
	code := `
import collections, decimal
Point = collections.namedtuple("Point", "x y")
results = {
    "object": {"statusCode": 200, "body": "hällo", "n": None, "t": True},
    "decimal": {"a": decimal.Decimal("12.50"), "b": [decimal.Decimal("5E+3"), decimal.Decimal("0.12345678901234567890123")]},
    "decimal nan": decimal.Decimal("NaN"),
    "decimal alone": decimal.Decimal("7"),
    "named tuple": [Point(1, Point(2, b"z"))],
    "bytes within": {"b": b"caf\xc3\xa9"},
    "bytes": b'{"raw": 1}',
    "nan": float("nan"),
    "keys": {1: 1, None: 2, True: 3},
    "surrogate": "\ud83d",
    "nothing": None,
}
def handler(event, context):
    return results[event]
`
	want := map[string]string{
		"object":        `{"statusCode": 200, "body": "hällo", "n": null, "t": true}`,
		"decimal":       `{"a": 12.50, "b": [5E+3, 0.12345678901234567890123]}`,
		"decimal nan":   `NaN`,
		"decimal alone": `7`,
		"named tuple":   `[{"x": 1, "y": {"x": 2, "y": "z"}}]`,
		"bytes within":  `{"b": "café"}`,
		"bytes":         `{"raw": 1}`,
		"nan":           `NaN`,
		"keys":          `{"1": 3, "null": 2}`,
		"surrogate":     `"\ud83d"`,
		"nothing":       `null`,
	}
	onEvery(t, func(t *testing.T, f function) {
		f.files = map[string]string{"app.py": code}
		p := launch(t, f)
		for name, want := range want {
			if got := p.result(`"` + name + `"`); got != want {
				t.Errorf("%s: got %s, want %s", name, got, want)
			}
		}
	})
}
