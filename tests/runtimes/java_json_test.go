package runtimes

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/hearthfn/hearth/tests/harness"
)

// javaLibraries are jars of Debian's that a function brings.
func javaLibraries(t *testing.T, names ...string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	for _, name := range names {
		b, err := os.ReadFile("/usr/share/java/" + name + ".jar")
		if err != nil {
			t.Fatalf("%v: install libgoogle-gson-java, libjackson2-databind-java and libjoda-time-java", err)
		}
		files["lib/"+name+".jar"] = string(b)
	}
	return files
}

// What Lambda's Java runtime reads and writes, by the settings that
// aws-lambda-java-serialization gives Jackson.
func TestJavaObjectsAreReadAndWrittenAsByLambda(t *testing.T) {
	harness.Slow(t, "it compiles Java")
	harness.Parallel(t)
	cases := map[string]struct{ handler, event, want string }{
		"bean": {"::bean", `{"active":true,"name":"ada","unknown":1,"calls":7,"tags":"one","color":"BLUE","bytes":"AQI=","buffer":"AwQ="}`,
			`{"active":true,"name":"ADA","greeting":"hello ADA 1","URL":"url","tags":["one"],"bytes":"AQI=","buffer":"AwQ="}`},
		"fields": {"::bean", `{"isActive":true,"hidden":"x","color":"RED","tags":[]}`, `{"active":false,"greeting":"hello null 0","URL":"url","tags":[],"color":"RED"}`},
		"times": {"::times", `{"date":1700000000123,"instant":"2023-11-14T22:13:20.5Z","day":"2023-11-14","at":"2023-11-14T22:13:20","offset":"2023-11-15T00:13:20+02:00",` +
			`"duration":"PT1.5S","nothing":null,"number":3,"days":{"2024-02-29":1}}`,
			`{"date":1700000000123,"instant":1700000000.500000000,"day":[2023,11,14],"at":[2023,11,14,22,13,20],"offset":1700000000.000000000,` +
				`"duration":1.500000000,"some":"default","nothing":null,"number":3,"days":{"2024-02-29":1}}`},
		"timesback": {"::times", `{"date":"2023-11-14T22:13:20.123Z","instant":1700000000.5,"day":[2023,11,14],"at":[2023,11,14,22,13],"some":null,"number":null}`,
			`{"date":1700000000123,"instant":1700000000.500000000,"day":[2023,11,14],"at":[2023,11,14,22,13],"some":null,"number":null}`},
		"record":   {"::record", `{"x":1,"y":2,"label":"here"}`, `{"x":2,"y":1,"label":"here"}`},
		"points":   {"::points", `[{"x":1},{"y":2}]`, `[{"x":1,"y":0,"label":null},{"x":0,"y":2,"label":null}]`},
		"one":      {"::points", `{"x":1}`, `[{"x":1,"y":0,"label":null}]`},
		"numbers":  {"::numbers", `[3,"4"]`, `[3,4]`},
		"color":    {"::color", `"GREEN"`, `"GREEN"`},
		"number":   {"::number", `"5"`, `2.5`},
		"bytes":    {"::bytes", `"AQI="`, `"AQI="`},
		"anything": {"::anything", `{"a":1}`, `"LinkedHashMap"`},
		"output":   {"::output", `{}`, `"only out"`},
		"generic":  {"$Generic", `[{"x":5,"y":6}]`, `{"first":{"x":5,"y":6,"label":null}}`},
		"sqs": {"::sqs", `{"Records":[{"body":"hi","eventSourceARN":"arn:aws:sqs:x","messageAttributes":{"a":{"stringValue":"v","dataType":"String"}}}]}`,
			`{"body":"hi","arn":"arn:aws:sqs:x","attribute":"v"}`},
		"sns": {"::sns", `{"Records":[{"EventSource":"aws:sns","Sns":{"Message":"hi","Timestamp":"2023-11-14T22:13:20.123Z"}}]}`,
			`{"Records":[{"EventSource":"aws:sns","Sns":{"Message":"hi","Timestamp":"2023-11-14T22:13:20.123Z"}}]}`},
		"kinesis": {"::kinesis", `{"Records":[{"kinesis":{"data":"aGk=","approximateArrivalTimestamp":1700000000.123}}]}`, `{"data":"hi","at":1700000000123}`},
		"s3": {"::s3", `{"Records":[{"eventTime":"2023-11-14T22:13:20.123Z","responseElements":{"x-amz-request-id":"R"},"s3":{"bucket":{"name":"b"},"object":{"key":"k","size":7}}}]}`,
			`{"key":"k","size":7,"bucket":"b","id":"R","version":""}`},
	}
	s := harness.NewServer(t, "", "")
	_, jar, _ := s.JavaCode()
	b, err := os.ReadFile(jar)
	if err != nil {
		t.Fatal(err)
	}
	files := javaLibraries(t, "joda-time")
	files["lib/functions.jar"] = string(b)
	code := s.Archive("pojos.zip", files)
	var functions strings.Builder
	for name, c := range cases {
		functions.WriteString(javaFunction(name, "example.Pojos"+c.handler, code, ""))
	}
	functions.WriteString(javaFunction("nomessage", "example.Pojos::nomessage", code, ""))
	a := &harness.API{Server: s}
	a.Configure(functions.String(), "")
	a.Start()
	a.Connect()
	for name, c := range cases {
		out := a.Call(name, c.event)
		if !sameJSON(t, string(out.Payload), c.want) {
			t.Errorf("%s:\n got %s\nwant %s", name, out.Payload, c.want)
		}
	}
	out := a.Call("numbers", `"x"`)
	if want := `{"errorMessage":"An error occurred during JSON parsing","errorType":"java.lang.RuntimeException","stackTrace":[]}`; string(out.Payload) != want || aws.ToString(out.FunctionError) != "Unhandled" {
		t.Errorf("got %s %s", aws.ToString(out.FunctionError), out.Payload)
	}
	out = a.Call("nomessage", `{}`)
	var failed struct {
		ErrorMessage, ErrorType string
		StackTrace              []string
	}
	if err := json.Unmarshal(out.Payload, &failed); err != nil {
		t.Fatal(err)
	}
	// By its name alone a method is called by reflection, on Lambda too.
	if failed.ErrorMessage != "java.lang.IllegalStateException" || failed.ErrorType != "java.lang.IllegalStateException" ||
		!strings.HasPrefix(failed.StackTrace[0], "example.Pojos.nomessage(Pojos.java:") || !strings.HasPrefix(failed.StackTrace[len(failed.StackTrace)-1], "java.base/java.lang.reflect.Method.invoke(") {
		t.Errorf("got %s", out.Payload)
	}
	a.WantLog("nomessage", " java.lang.IllegalStateException: java.lang.IllegalStateException\n", "\tat example.Pojos.nomessage(Pojos.java:")
}

// sameJSON compares numbers as they are written.
func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var values [2]any
	for i, text := range []string{a, b} {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&values[i]); err != nil {
			t.Errorf("%s: %v", text, err)
			return false
		}
	}
	return reflect.DeepEqual(values[0], values[1])
}

// A context is a plain object, which the function's own JSON libraries can write.
func TestJavaContextIsAPlainObjectForTheFunctionsOwnLibraries(t *testing.T) {
	harness.Slow(t, "it compiles Java")
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	_, jar, _ := s.JavaCode()
	b, err := os.ReadFile(jar)
	if err != nil {
		t.Fatal(err)
	}
	files := javaLibraries(t, "gson", "jackson-core", "jackson-annotations", "jackson-databind")
	files["lib/functions.jar"] = string(b)
	a := &harness.API{Server: s}
	a.Configure(javaFunction("context", "example.Contexts::handle", s.Archive("contexts.zip", files), ""), "")
	a.Start()
	a.Connect()
	out := a.Call("context", "{}")
	var got struct{ Gson, Jackson, Loader, Type string }
	if err := json.Unmarshal(out.Payload, &got); err != nil {
		t.Fatalf("%v: %s", err, out.Payload)
	}
	for text, wants := range map[string][]string{
		got.Gson:    {`"memoryLimit":256`, `"functionName":"context"`, `"functionVersion":"$LATEST"`, `"logGroupName":"/aws/lambda/context"`, `"deadlineTimeInMs":1`, `"cognitoIdentity":{}`, `"logger":{}`},
		got.Jackson: {`"memoryLimitInMB":256`, `"awsRequestId":"`, `"remainingTimeInMillis":`, `"logger":{"logFormat":"TEXT"}`},
	} {
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s is not in %s", want, text)
			}
		}
	}
	if got.Loader != "true" || got.Type != "com.amazonaws.services.lambda.runtime.api.client.api.LambdaContext" {
		t.Errorf("got %+v", got)
	}
	a.WantLog("context", "[WARN] with a level", "without a context")
}
