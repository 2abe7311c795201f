package model_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
)

// lambda is the model of AWS Lambda.
func lambda(t testing.TB) *model.Model {
	t.Helper()
	table, err := os.ReadFile("../lambda/lambda.json")
	if err != nil {
		t.Fatal(err)
	}
	return model.New(table)
}

func TestEveryOperationIsRoutedToByItsOwnPath(t *testing.T) {
	m := lambda(t)
	if n := len(m.Operations()); n != 85 {
		t.Errorf("the table has %d operations, want 85", n)
	}
	for _, o := range m.Operations() {
		path := o.URI
		for strings.Contains(path, "{") {
			head, rest, _ := strings.Cut(path, "{")
			_, rest, _ = strings.Cut(rest, "}")
			path = head + "arn%3Aaws%3Aa%2Fb" + rest
		}
		for _, slash := range []string{"", "/"} {
			raw, query, _ := strings.Cut(path, "?")
			u, err := url.Parse("http://h" + raw + slash + "?" + query)
			if err != nil {
				t.Fatal(err)
			}
			route, known := m.Match(o.Method, u)
			if route.Operation != o || !known {
				t.Errorf("%s %s leads to %+v, want %s", o.Method, u, route.Operation, o.Name)
			}
		}
	}
}

func TestWhatIsNotTheAPIsIsNotMatched(t *testing.T) {
	m := lambda(t)
	tests := []struct {
		method, url string
		known       bool
	}{
		{"GET", "/", false},
		{"GET", "/index.html", false},
		{"GET", "/2015-03-30/functions", false},
		{"PATCH", "/2015-03-31/functions", true},
		{"GET", "/2015-03-31/functions/", true}, // ListFunctions, below
		{"GET", "/2015-03-31/functions//policy", true},
		{"GET", "/2015-03-31/functions/a/b/c/d", true},
		{"GET", "/2015-03-31", true},
	}
	for _, test := range tests {
		u, err := url.Parse(test.url)
		if err != nil {
			t.Fatal(err)
		}
		route, known := m.Match(test.method, u)
		if known != test.known {
			t.Errorf("%s %s is the API's: %v, want %v", test.method, test.url, known, test.known)
		}
		if lists := strings.HasSuffix(test.url, "functions/"); (route.Operation != nil) != lists {
			t.Errorf("%s %s leads to %+v", test.method, test.url, route.Operation)
		}
	}
}

// read has an operation read a request.
func read(t *testing.T, method, target, body string, header http.Header, into any) error {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for name, values := range header {
		r.Header[name] = values
	}
	route, _ := lambda(t).Match(method, r.URL)
	if route.Operation == nil {
		t.Fatalf("%s %s leads nowhere", method, target)
	}
	return route.Read(r, []byte(body), into)
}

func TestViolationsAreWordedAsAWSWordsThem(t *testing.T) {
	const functions = "/2015-03-31/functions"
	const function = functions + "/f"
	tests := []struct {
		name, method, target, body string
		want                       string
	}{
		{
			"a pattern", "POST", functions, `{"FunctionName":"f","Role":"r1","Code":{}}`,
			`1 validation error detected: Value 'r1' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+`,
		}, {
			"what is required", "POST", functions, `{"FunctionName":"f","Role":null,"Code":{}}`,
			`1 validation error detected: Value null at 'role' failed to satisfy constraint: Member must not be null`,
		}, {
			"a required list of the query", "DELETE", "/2017-03-31/tags/arn:aws:lambda:us-east-1:000000000000:function:f", "",
			`1 validation error detected: Value null at 'tagKeys' failed to satisfy constraint: Member must not be null`,
		}, {
			"a bound", "PUT", "/2019-09-30/functions/f/provisioned-concurrency?Qualifier=1", `{"ProvisionedConcurrentExecutions":0}`,
			`1 validation error detected: Value '0' at 'provisionedConcurrentExecutions' failed to satisfy constraint: Member must have value greater than or equal to 1`,
		}, {
			"a negative look-ahead", "POST", function + "/aliases", `{"Name":"2024","FunctionVersion":"1"}`,
			`1 validation error detected: Value '2024' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)`,
		}, {
			"an enumeration of the query", "GET", functions + "?FunctionVersion=invalid", "",
			`1 validation error detected: Value 'invalid' at 'functionVersion' failed to satisfy constraint: Member must satisfy enum value set: [ALL]`,
		}, {
			"the elements of a list", "POST", functions, `{"FunctionName":"f","Role":"arn:aws:iam::000000000000:role/r","Code":{},"Architectures":["X86_64"]}`,
			`1 validation error detected: Value '[X86_64]' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]`,
		}, {
			"the length of a list", "POST", functions, `{"FunctionName":"f","Role":"arn:aws:iam::000000000000:role/r","Code":{},"Architectures":["x86_64","arm64"]}`,
			`1 validation error detected: Value '[x86_64, arm64]' at 'architectures' failed to satisfy constraint: Member must have length less than or equal to 1`,
		}, {
			"the keys of a map", "POST", function + "/aliases", `{"Name":"a","FunctionVersion":"1","RoutingConfig":{"AdditionalVersionWeights":{"$LATEST":0.5}}}`,
			`1 validation error detected: Value '{$LATEST=0.5}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+]`,
		}, {
			"the values of a map", "POST", function + "/aliases", `{"Name":"a","FunctionVersion":"1","RoutingConfig":{"AdditionalVersionWeights":{"2":2}}}`,
			`1 validation error detected: Value '{2=2.0}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]`,
		}, {
			"all at once", "PUT", function + "/configuration", `{"Timeout":0,"MemorySize":1}`,
			`2 validation errors detected: Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1; Value '1' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128`,
		}, {
			"what may not be shown", "PUT", function + "/configuration", `{"Environment":{"Variables":{"1":"secret"}}}`,
			`1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := read(t, test.method, test.target, test.body, nil, nil)
			var invalid *model.ValidationError
			if !errors.As(err, &invalid) {
				t.Fatalf("error = %v, want a *ValidationError", err)
			}
			if err.Error() != test.want {
				t.Errorf("message\n %s\nwant\n %s", err, test.want)
			}
		})
	}
}

func TestBodiesThatAreNoInputAreRefused(t *testing.T) {
	tests := []struct{ body, want string }{
		{`{"MemorySize":`, "Could not parse request body into json: unexpected end of input"},
		{`{} {}`, "Could not parse request body into json: there is more after its end"},
		{`[]`, "Start of list found where not expected."},
		{`"text"`, "STRING_VALUE can not be converted to a structure"},
		{`{"MemorySize":"128"}`, "STRING_VALUE can not be converted to an Integer"},
		{`{"MemorySize":1.5}`, "NUMBER_VALUE can not be converted to an Integer"},
		{`{"MemorySize":4294967424}`, "NUMBER_VALUE can not be converted to an Integer"},
		{`{"Description":1}`, "NUMBER_VALUE can not be converted to a String"},
		{`{"Description":true}`, "TRUE_VALUE can not be converted to a String"},
		{`{"Description":{}}`, "Start of structure or map found where not expected."},
		{`{"Layers":"a"}`, "STRING_VALUE can not be converted to a list"},
		{`{"Layers":[null]}`, "a list holds null"},
		{`{"Environment":{"Variables":[]}}`, "Start of list found where not expected."},
		{`{"VpcConfig":[]}`, "Start of list found where not expected."},
	}
	for _, test := range tests {
		err := read(t, "PUT", "/2015-03-31/functions/f/configuration", test.body, nil, nil)
		var format *model.FormatError
		if !errors.As(err, &format) || err.Error() != test.want {
			t.Errorf("body %s: error %q, want %q", test.body, err, test.want)
		}
	}
	if err := read(t, "GET", "/2015-03-31/functions?MaxItems=ten", "", nil, nil); err == nil || !strings.Contains(err.Error(), "STRING_VALUE can not be converted to an Integer") {
		t.Errorf("MaxItems=ten: error %v", err)
	}
}

func TestMembersComeFromPathQueryHeaderAndBody(t *testing.T) {
	var invoke struct {
		FunctionName, Qualifier, InvocationType, LogType string
		Payload                                          []byte
	}
	err := read(t, "POST", "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af/invocations?Qualifier=live",
		"not JSON", http.Header{"X-Amz-Invocation-Type": {"Event"}, "X-Amz-Log-Type": {"None"}}, &invoke)
	if err != nil {
		t.Fatal(err)
	}
	if invoke.FunctionName != "arn:aws:lambda:us-east-1:000000000000:function:f" || invoke.Qualifier != "live" ||
		invoke.InvocationType != "Event" || invoke.LogType != "None" || string(invoke.Payload) != "not JSON" {
		t.Errorf("read %+v", invoke)
	}

	var update struct {
		FunctionName string
		MemorySize   *int
		Timeout      *int
		Layers       []string
		Environment  *struct{ Variables map[string]string }
		VpcConfig    *struct{ SubnetIds []string }
	}
	err = read(t, "PUT", "/2015-03-31/functions/f/configuration",
		`{"MemorySize":256,"memorysize":1,"Timeout":null,"Layers":[],"Environment":{"Variables":{"KEY":"v"}},"Unknown":{"a":[1]}}`, nil, &update)
	if err != nil {
		t.Fatal(err)
	}
	if update.MemorySize == nil || *update.MemorySize != 256 || update.Timeout != nil || update.VpcConfig != nil ||
		update.Layers == nil || len(update.Layers) != 0 || update.Environment == nil || update.Environment.Variables["KEY"] != "v" {
		t.Errorf("read %+v", update)
	}

	var mapping struct {
		StartingPositionTimestamp *time.Time
		Filters                   any
		FilterCriteria            struct{ Filters []struct{ Pattern string } }
	}
	err = read(t, "POST", "/2015-03-31/event-source-mappings/",
		`{"FunctionName":"f","StartingPositionTimestamp":1700000000.5,"FilterCriteria":{"Filters":[{"Pattern":"{}"}]}}`, nil, &mapping)
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Unix(1700000000, 5e8); mapping.StartingPositionTimestamp == nil || !mapping.StartingPositionTimestamp.Equal(want) ||
		len(mapping.FilterCriteria.Filters) != 1 || mapping.FilterCriteria.Filters[0].Pattern != "{}" {
		t.Errorf("read %+v", mapping)
	}

	var untag struct {
		Resource string
		TagKeys  []string
	}
	err = read(t, "DELETE", "/2017-03-31/tags/arn:aws:lambda:us-east-1:000000000000:function:f?tagKeys=a&tagKeys=b", "", nil, &untag)
	if err != nil || len(untag.TagKeys) != 2 || untag.TagKeys[1] != "b" {
		t.Errorf("read %+v, error %v", untag, err)
	}

	var layer struct{ VersionNumber int64 }
	if err := read(t, "GET", "/2018-10-31/layers/l/versions/7", "", nil, &layer); err != nil || layer.VersionNumber != 7 {
		t.Errorf("read %+v, error %v", layer, err)
	}
}

func TestAnExceptionHasItsStatusAndForm(t *testing.T) {
	m := lambda(t)
	for name, want := range map[string]model.Exception{
		"ResourceNotFoundException":      {Status: 404, Message: "Message"},
		"PreconditionFailedException":    {Status: 412, Message: "message"},
		"InvalidParameterValueException": {Status: 400, Message: "message"},
		"ServiceException":               {Status: 500, Message: "Message"},
	} {
		if got, ok := m.Exception(name); got != want || !ok {
			t.Errorf("%s is %+v, %v, want %+v", name, got, ok, want)
		}
	}
	if e, ok := m.Exception("ValidationException"); ok {
		t.Errorf("ValidationException, which is no service's own, is %+v", e)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("POST", "/2015-03-31/functions", `{"FunctionName":"f","Code":{"ZipFile":"AAAA"},"Layers":["a"],"Environment":{"Variables":{"a":"b"}}}`)
	f.Add("PUT", "/2015-03-31/event-source-mappings/14e0db71-xx", `{"SelfManagedEventSource":{"Endpoints":{"KAFKA_BOOTSTRAP_SERVERS":["a:1"]}},"StartingPositionTimestamp":-1e99}`)
	f.Add("GET", "/2018-10-31/layers?find=LayerVersion&Arn=a", "")
	f.Add("DELETE", "/2017-03-31/tags/%zz?tagKeys=a;b", "")
	m := lambda(f)
	f.Fuzz(func(t *testing.T, method, target, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		route, known := m.Match(method, u)
		if route.Operation == nil {
			return
		}
		if !known {
			t.Errorf("%s %s is matched, and not the API's", method, target)
		}
		err = route.Read(&http.Request{Method: method, URL: u, Header: http.Header{}}, []byte(body), nil)
		var format *model.FormatError
		var invalid *model.ValidationError
		if err != nil && !errors.As(err, &format) && !errors.As(err, &invalid) {
			t.Errorf("error %T: %v", err, err)
		}
	})
}

func BenchmarkReadInvoke(b *testing.B) {
	m := lambda(b)
	r := httptest.NewRequest("POST", "/2015-03-31/functions/thumbnail/invocations", nil)
	r.Header.Set("X-Amz-Invocation-Type", "RequestResponse")
	body := []byte(`{"a":1}`)
	var in struct {
		FunctionName, Qualifier, InvocationType, LogType, ClientContext string
	}
	b.ReportAllocs()
	for b.Loop() {
		route, _ := m.Match(r.Method, r.URL)
		if err := route.Read(r, body, &in); err != nil {
			b.Fatal(err)
		}
	}
}
