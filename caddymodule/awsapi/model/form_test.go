package model_test

import (
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
)

const formTable = `{"service": {"protocol": "query"},
"operations": [{"name": "Make", "method": "POST", "uri": "/", "input": "MakeRequest"}],
"shapes": {
"MakeRequest": {"type": "structure", "members": [
	{"name": "Name", "shape": "Name", "required": true}, {"name": "Most", "shape": "Number"}, {"name": "Force", "shape": "Flag"},
	{"name": "Tags", "shape": "Tags"}, {"name": "Words", "shape": "Words"}, {"name": "Map", "shape": "Map"}]},
"Name": {"type": "string", "max": 8}, "Number": {"type": "integer"}, "Flag": {"type": "boolean"},
"Tags": {"type": "list", "element": "Tag", "max": 2},
"Tag": {"type": "structure", "members": [{"name": "Key", "shape": "Name", "required": true}, {"name": "Value", "shape": "Name"}]},
"Words": {"type": "list", "element": "Name"},
"Map": {"type": "map", "key": "Name", "element": "Number"}
},
"exceptions": {}}`

type made struct {
	Name  string
	Most  int
	Force bool
	Tags  []struct{ Key, Value string }
	Words []string
	Map   map[string]int
}

// readForm reads a form of the operation Make.
func readForm(t testing.TB, form string) (made, error) {
	t.Helper()
	values, err := url.ParseQuery(form)
	if err != nil {
		t.Fatal(err)
	}
	route, _ := model.New([]byte(formTable)).Operation("Make")
	var in made
	err = route.ReadForm(values, &in)
	return in, err
}

func TestAFormIsReadAsTheModelHasIt(t *testing.T) {
	got, err := readForm(t, "Action=Make&Name=a&Most=3&Force=true&Tags.member.2.Key=y&Tags.member.1.Key=x&Tags.member.1.Value=1"+
		"&Words.member.10=c&Words.member.2=b&Map.entry.1.key=one&Map.entry.1.value=1&Unknown.x=1")
	want := made{"a", 3, true, []struct{ Key, Value string }{{"x", "1"}, {"y", ""}}, []string{"b", "c"}, map[string]int{"one": 1}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v %v, want %+v", got, err, want)
	}
	if got, err := readForm(t, "Name=a&Words="); err != nil || got.Words == nil || len(got.Words) != 0 {
		t.Errorf("an empty list is %#v %v", got.Words, err)
	}
}

func TestAFormThatTheModelDoesNotAllowIsRefused(t *testing.T) {
	for form, want := range map[string]string{
		"":                             "Value null at 'name' failed to satisfy constraint: Member must not be null",
		"Name=much+too+long":           "Member must have length less than or equal to 8",
		"Name=a&Most=x":                "can not be converted to an Integer",
		"Name=a&Force=x":               "can not be converted to a Boolean",
		"Name.x=a":                     "found where not expected",
		"Name=a&Tags.member.1.Value=v": "Value null at 'tags.1.member.key'",
		"Name=a&Tags.1.Key=v":          "NAME.member.1",
		"Name=a&Words.member.x=v":      "no place in a list",
		"Name=a&Words.member.01=v":     "no place in a list",
		"Name=a&Words.member.-1=v":     "no place in a list",
		"Name=a&Map.entry.1.key=v":     "a key and a value",
		"Name=a&Words" + strings.Repeat(".member", 99): "no place in a list",
	} {
		if _, err := readForm(t, form); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %s", form, err, want)
		}
	}
}

func FuzzForms(f *testing.F) {
	f.Add("Name=a&Tags.member.1.Key=x&Map.entry.1.key=k&Map.entry.1.value=2")
	f.Add("Name=a&Words.member.1.member.1=x")
	route, _ := model.New([]byte(formTable)).Operation("Make")
	f.Fuzz(func(t *testing.T, form string) {
		values, err := url.ParseQuery(form)
		if err != nil {
			return
		}
		var in made
		if err := route.ReadForm(values, &in); err == nil && len(in.Tags) > 2 {
			t.Errorf("%d tags", len(in.Tags))
		}
	})
}
