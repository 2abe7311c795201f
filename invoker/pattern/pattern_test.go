package pattern

import (
	"encoding/json"
	"strings"
	"testing"
)

// The sample event of Event Ruler's documentation, with a few fields more.
const sample = `{
  "version": "0", "detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2",
  "time": "2017-10-02T16:24:49Z", "nothing": null, "yes": true, "empty": "", "none": [],
  "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000"],
  "detail": {
    "c-count": 5, "d-count": 3, "x-limit": 301.8, "huge": 1e300, "price": 300.0,
    "source-ip": "10.0.0.33", "source-ip6": "2001:db8::1", "state": "running",
    "file": "dir/sub*a/image.PNG", "sub": {"leaf": 1},
    "dotted.a": "x", "dotted.b": "y", "dotted.d": 2, "dotted.e.f": "g", "dotted": {"c": "z", "d": 1},
    "people": [{"first": "Ada", "last": "King"}, {"first": "Alan", "last": "Turing"}]
  }
}`

func TestPatternsMatchAsEventBridgeDocuments(t *testing.T) {
	tests := []struct {
		pattern string
		want    bool
	}{
		{`{"source":["aws.ec2"]}`, true},
		{`{"source":["aws.s3"]}`, false},
		{`{"source":["aws.s3","aws.ec2"],"detail":{"state":["running"]}}`, true},
		{`{"source":["aws.ec2"],"detail":{"state":["stopped"]}}`, false},
		{`{"resources":["arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000"]}`, true},
		{`{"nothing":[null]}`, true},
		{`{"source":[null]}`, false},
		{`{"yes":[true]}`, true},
		{`{"yes":["true"]}`, false},
		{`{"empty":[""]}`, true},
		{`{"nothing":[""]}`, false},
		{`{"detail":{"c-count":[5]}}`, true},
		{`{"detail":{"c-count":["5"]}}`, false},
		{`{"detail":{"price":[300]}}`, false}, // equality is of the text
		{`{"detail":{"price":[300.0]}}`, true},

		{`{"time":[{"prefix":"2017-10-02"}]}`, true},
		{`{"time":[{"prefix":"2018"}]}`, false},
		{`{"source":[{"prefix":{"equals-ignore-case":"AWS."}}]}`, true},
		{`{"detail":{"c-count":[{"prefix":"5"}]}}`, false},
		{`{"source":[{"suffix":"ec2"}]}`, true},
		{`{"detail":{"file":[{"suffix":".png"}]}}`, false},
		{`{"detail":{"file":[{"suffix":{"equals-ignore-case":".png"}}]}}`, true},
		{`{"source":[{"equals-ignore-case":"AWS.EC2"}]}`, true},

		{`{"detail":{"file":[{"wildcard":"dir/*.PNG"}]}}`, true},
		{`{"detail":{"file":[{"wildcard":"dir/*.jpg"}]}}`, false},
		{`{"detail":{"file":[{"wildcard":"*sub\\*a*"}]}}`, true},
		{`{"detail":{"file":[{"wildcard":"*\\*b*"}]}}`, false},
		{`{"detail":{"file":[{"wildcard":"*"}]}}`, true},
		{`{"detail":{"state":[{"wildcard":"run*running"}]}}`, false},

		{`{"detail":{"state":[{"anything-but":"initializing"}]}}`, true},
		{`{"detail":{"state":[{"anything-but":"running"}]}}`, false},
		{`{"detail":{"state":[{"anything-but":["stopped","running"]}]}}`, false},
		{`{"detail":{"x-limit":[{"anything-but":[100,200,300]}]}}`, true},
		{`{"detail":{"price":[{"anything-but":300}]}}`, false},
		{`{"detail":{"state":[{"anything-but":{"prefix":"init"}}]}}`, true},
		{`{"detail":{"state":[{"anything-but":{"prefix":["init","run"]}}]}}`, false},
		{`{"detail":{"file":[{"anything-but":{"suffix":".PNG"}}]}}`, false},
		{`{"detail":{"state":[{"anything-but":{"equals-ignore-case":["RUNNING"]}}]}}`, false},
		{`{"detail":{"file":[{"anything-but":{"wildcard":"*/lib/*"}}]}}`, true},
		{`{"detail":{"missing":[{"anything-but":"x"}]}}`, false},
		{`{"detail":{"c-count":[{"anything-but":"x"}]}}`, true},

		{`{"detail":{"c-count":[{"numeric":[">",0,"<=",5]}]}}`, true},
		{`{"detail":{"c-count":[{"numeric":[">",5]}]}}`, false},
		{`{"detail":{"x-limit":[{"numeric":["=",3.018e2]}]}}`, true},
		{`{"detail":{"d-count":[{"numeric":["<",10]}]}}`, true},
		{`{"detail":{"huge":[{"numeric":[">",0]}]}}`, false}, // outside what numeric compares
		{`{"detail":{"state":[{"numeric":[">",0]}]}}`, false},

		{`{"detail":{"source-ip":[{"cidr":"10.0.0.0/24"}]}}`, true},
		{`{"detail":{"source-ip":[{"cidr":"10.0.1.0/24"}]}}`, false},
		{`{"detail":{"source-ip6":[{"cidr":"2001:db8::/32"}]}}`, true},
		{`{"detail":{"source-ip":[{"cidr":"10.0.0.33"}]}}`, true},
		{`{"detail":{"state":[{"cidr":"10.0.0.0/8"}]}}`, false},

		{`{"detail":{"c-count":[{"exists":true}]}}`, true},
		{`{"detail":{"c-count":[{"exists":false}]}}`, false},
		{`{"detail":{"missing":[{"exists":false}]}}`, true},
		{`{"detail":{"sub":[{"exists":true}]}}`, false}, // not a leaf
		{`{"detail":{"sub":[{"exists":false}]}}`, true},
		{`{"gone":{"deep":[{"exists":false}]}}`, true},
		{`{"nothing":[{"exists":true}]}`, true},
		{`{"none":[{"exists":true}]}`, false},
		{`{"detail":{"c-count":[{"exists":false},{"numeric":["<",10]}]}}`, true},

		{`{"$or":[{"source":["aws.s3"]},{"detail":{"state":["running"]}}]}`, true},
		{`{"$or":[{"source":["aws.s3"]},{"detail":{"state":["stopped"]}}]}`, false},
		{`{"source":["aws.s3"],"$or":[{"version":["0"]},{"version":["1"]}]}`, false},
		{`{"detail":{"$or":[{"c-count":[9]},{"d-count":[3],"state":["running"]}]}}`, true},
		{`{"$or":[{"source":["x"]},{"version":["0"],"$or":[{"yes":[false]},{"yes":[true]}]}]}`, true},
		{`{"$or":{"source":["aws.ec2"]}}`, false}, // a field of that name

		{`{"detail":{"people":{"first":["Ada"],"last":["King"]}}}`, true},
		{`{"detail":{"people":{"first":["Ada"],"last":["Turing"]}}}`, false}, // of two elements

		{`{"detail.state":["running"]}`, true},
		{`{"detail":{"sub.leaf":[1]}}`, true},
		{`{"detail.sub":{"leaf":[1]},"detail":{"state":["running"]},"detail.c-count":[5]}`, true},
		{`{"detail":{"sub.leaf":{"leaf":[1]}}}`, false},
		{`{"detail.state":["stopped"],"detail.c-count":[5]}`, false},
		{`{"detail.people.first":["Ada"]}`, true},
		{`{"detail.people":{"first":["Ada"],"last":["Turing"]}}`, false},
		{`{"detail":{"dotted":{"a":["x"]}}}`, true},
		{`{"detail.dotted.a":["x"],"detail.dotted.b":["y"],"detail.dotted.c":["z"]}`, true},
		{`{"detail":{"dotted":{"d":[1]}}}`, true}, // nested, and by a dot, too
		{`{"detail":{"dotted":{"d":[2]}}}`, true},
		{`{"detail":{"dotted":{"a":[{"exists":false}]}}}`, false},
		{`{"detail":{"dotted":{"e":{"f":["g"]}}}}`, true},
		{`{"$or":[{"detail.state":["stopped"]},{"detail.dotted.b":["y"]}]}`, true},
	}
	for _, test := range tests {
		p, err := Parse([]byte(test.pattern))
		if err != nil {
			t.Errorf("Parse(%s): %v", test.pattern, err)
			continue
		}
		if got, err := p.Match([]byte(sample)); got != test.want || err != nil {
			t.Errorf("%s matches = %v, %v, want %v", test.pattern, got, err, test.want)
		}
	}
}

func TestWrongPatternsAreRefusedByName(t *testing.T) {
	tests := []struct{ pattern, want string }{
		{``, "not JSON"},
		{`[]`, "not a JSON object"},
		{`{}`, "empty object"},
		{`{"a":{}}`, "a: an empty object"},
		{`{"a":[]}`, "a: an empty array"},
		{`{"a":"b"}`, `a: values are given as an array, as in ["b"]`},
		{`{"a":[["b"]]}`, "an array inside an array"},
		{`{"a":["b"]} x`, "something follows"},
		{`{"a":[{"contains":"b"}]}`, "contains: no such operator"},
		{`{"a":[{"prefix":"b","suffix":"c"}]}`, "one operator to an object"},
		{`{"a":[{"prefix":1}]}`, "prefix: a string is wanted"},
		{`{"a":[{"prefix":{"x":"y"}}]}`, "equals-ignore-case"},
		{`{"a":[{"wildcard":"x**"}]}`, "two * in a row"},
		{`{"a":[{"wildcard":"x\\y"}]}`, `a \ stands before`},
		{`{"a":[{"exists":"yes"}]}`, "exists: true or false"},
		{`{"a":[{"numeric":[">"]}]}`, "numeric:"},
		{`{"a":[{"numeric":["!",1]}]}`, `"!": =, <`},
		{`{"a":[{"numeric":["<",5,">",0]}]}`, "a lower bound, then an upper"},
		{`{"a":[{"numeric":[">",5,"<",5]}]}`, "above the lower"},
		{`{"a":[{"numeric":["<",6e9]}]}`, "between -5e9 and 5e9"},
		{`{"a":[{"cidr":"10.0.0.0/99"}]}`, "cidr:"},
		{`{"a":[{"anything-but":[]}]}`, "anything-but: an empty array"},
		{`{"a":[{"anything-but":["x",1]}]}`, "not both"},
		{`{"a":[{"anything-but":null}]}`, "strings and numbers only"},
		{`{"a":[{"anything-but":{"cidr":"10.0.0.0/8"}}]}`, "cidr: not possible here"},
		{`{"a.b":["c"],"a":{"b":["d"]}}`, "a.b: there is another field of that path"},
		{`{"a":["b"],"a.b":["c"]}`, "a.b: there is another field of that path"},
		{`{"a.b":{"c":[1]},"a":{"b.c":[2]}}`, "b.c: there is another field"},
		{`{"$or":[{"prefix":"a"},{"b":["c"]}]}`, ""},
		{`{"a":["` + strings.Repeat("x", MaxPattern) + `"]}`, "at most 4096"},
	}
	for _, test := range tests {
		if _, err := Parse([]byte(test.pattern)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Parse(%.60s) = %v, want %q", test.pattern, err, test.want)
		}
	}
}

// LocalStack recorded these of EventBridge as dot_joining: an event with dots, and a pattern
// without; the reverse; and what does not match.
func TestNamesAreJoinedByDots(t *testing.T) {
	for _, test := range []struct {
		pattern, event string
		want           bool
	}{
		{`{"detail":{"state":{"status":["running"]}}}`, `{"detail":{"state.status":"running"}}`, true},
		{`{"detail":{"state.status":["running"]}}`, `{"detail":{"state":{"status":"running"}}}`, true},
		{`{"detail":{"state":{"status":["running"]}}}`, `{"detail":{"state.status":{"status":"running"}}}`, false},
		{`{"detail":{"state.status":{"status":["running"]}}}`, `{"detail":{"state":{"status":"running"}}}`, false},
		{`{"a.b":[1]}`, `{"` + strings.Repeat(".", 1<<20) + `":1,"a":{"b":1}}`, true},
		{`{"a.":[1]}`, `{"a.":1}`, true},
	} {
		p, err := Parse([]byte(test.pattern))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.Match([]byte(test.event)); got != test.want || err != nil {
			t.Errorf("%s matches %.80s = %v, %v", test.pattern, test.event, got, err)
		}
	}
}

func TestDataMatchesByWhatItIs(t *testing.T) {
	for _, test := range []struct {
		pattern, data string
		want          bool
	}{
		{`{"body":{"z":[{"exists":false}]}}`, `"no JSON"`, false},
		{`{"body":{"z":[{"exists":false}]}}`, `{"y":1}`, true},
		{`{"body":{"z":[{"exists":false}]}}`, `[{"y":1}]`, true},
		{`{"body":["no JSON"]}`, `"no JSON"`, true},
		{`{"body":[{"exists":false}]}`, `{"y":1}`, false},
		{`{"body":[{"anything-but":"x"}]}`, `["y"]`, false},
		{`{"$or":[{"body":{"z":[{"exists":false}]}},{"n":[1]}]}`, `"no JSON"`, true},
		{`{"body.z":[1]}`, `{"z":1}`, true},
		{`{"body":[12]}`, `12`, true},
	} {
		p, err := Parse([]byte(test.pattern))
		if err != nil {
			t.Fatal(err)
		}
		data, err := Decode([]byte(test.data))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.MatchValue(map[string]any{"n": json.Number("1"), "body": Data(data)}); got != test.want {
			t.Errorf("%s matches a body of %s = %v", test.pattern, test.data, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"a":[{"wildcard":"x*"},{"numeric":[">",0,"<",9]},{"anything-but":{"prefix":["a"]}}]}`, sample)
	f.Add(`{"$or":[{"a":[1]},{"b":[{"exists":false}]}]}`, `{"a":[[],{}]}`)
	f.Add(`{"a.b":{"c":[1]},"a":{"d.":[2]}}`, `{"a.b.c":1,"a":{"b":[{"c":1}],"d.":2},"..":3}`)
	f.Fuzz(func(t *testing.T, pattern, event string) {
		p, err := Parse([]byte(pattern))
		if err != nil {
			return
		}
		first, err := p.Match([]byte(event))
		if second, _ := p.Match([]byte(event)); err == nil && first != second {
			t.Errorf("%s matches %s only sometimes", pattern, event)
		}
	})
}
