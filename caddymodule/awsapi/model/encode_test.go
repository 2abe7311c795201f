package model

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// encodeTable has an operation of each protocol's needs: members in the path, the query, the
// header and the body, and names that begin with a small letter.
const encodeTable = `{"service": {"scope": "s", "protocol": "PROTOCOL", "version": "1", "targetPrefix": "T", "jsonVersion": "1.1"},
"operations": [{"name": "Put", "method": "POST", "uri": "/things/{name}?x=y", "status": 200, "input": "PutInput"}],
"shapes": {
	"PutInput": {"type": "structure", "members": [
		{"name": "name", "shape": "String", "required": true, "location": "uri", "locationName": "name"},
		{"name": "size", "shape": "Integer", "location": "querystring", "locationName": "s"},
		{"name": "Tags", "shape": "Map"}, {"name": "Parts", "shape": "Parts", "locationName": "parts"}]},
	"String": {"type": "string"}, "Integer": {"type": "integer"}, "Flag": {"type": "boolean"},
	"Map": {"type": "map", "key": "String", "element": "String"},
	"Parts": {"type": "list", "element": "Part"}, "Part": {"type": "structure", "members": [{"name": "on", "shape": "Flag"}]}}}`

func encoder(protocol string) *Model {
	return New([]byte(strings.Replace(encodeTable, "PROTOCOL", protocol, 1)))
}

var encodeInput = map[string]any{"Name": "a b/c", "Size": "3", "Tags": map[string]any{"k": json.Number("1")}, "Parts": []any{map[string]any{"On": "true"}}}

func TestInputsBecomeRequestsOfEachProtocol(t *testing.T) {
	for protocol, want := range map[string][2]string{
		"rest-json": {"/things/a%20b%2Fc?s=3&x=y", `{"Tags":{"k":"1"},"parts":[{"on":true}]}`},
		"json":      {"/", `{"Tags":{"k":"1"},"name":"a b/c","parts":[{"on":true}],"s":3}`},
		"query":     {"/", "Action=Put&Parts.member.1.on=true&Tags.entry.1.key=k&Tags.entry.1.value=1&Version=1&name=a+b%2Fc&size=3"},
	} {
		e, err := encoder(protocol).Encode("Put", encodeInput)
		if err != nil {
			t.Fatal(protocol, err)
		}
		if got := [2]string{e.URL.RequestURI(), string(e.Body)}; got != want {
			t.Errorf("%s: %q, want %q", protocol, got, want)
		}
	}
}

func TestWhatDoesNotFitIsNamed(t *testing.T) {
	m := encoder("rest-json")
	for _, test := range []struct {
		input map[string]any
		want  string
	}{
		{map[string]any{"Name": "a", "Other": 1}, "extraneous key [Other] is not permitted"},
		{map[string]any{"Name": "a", "Parts": []any{map[string]any{"Of": 1}}}, "/Parts/0: extraneous key [Of] is not permitted"},
		{map[string]any{"Name": "a", "Size": "three"}, "/Size: expected type: an integer, found: a string"},
		{map[string]any{"Name": "a", "Parts": map[string]any{}}, "/Parts: expected type: a list, found: an object"},
		{map[string]any{}, "required key [name] not found"},
	} {
		var unfit *FitError
		if _, err := m.Encode("Put", test.input); !errors.As(err, &unfit) || err.Error() != test.want {
			t.Errorf("%v: %v, want %s", test.input, err, test.want)
		}
	}
	if _, err := m.Encode("None", nil); err == nil {
		t.Error("an operation that is not there is encoded")
	}
}
