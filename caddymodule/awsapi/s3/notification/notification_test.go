package notification

import (
	"encoding/xml"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/warmpool/function"
)

const arn = "arn:aws:lambda:us-east-1:000000000000:function:f"

// rules are prefix and suffix; "" stands for no rule.
func configuration(events, prefix, suffix string) Configuration {
	c := Configuration{ID: events + prefix + suffix, Function: arn, Events: strings.Fields(events)}
	for name, value := range map[string]string{"prefix": prefix, "suffix": suffix} {
		if value != "" {
			c.Rules = append(c.Rules, Rule{name, value})
		}
	}
	return c
}

func TestConfigurationsThatShareAnEventAreRefused(t *testing.T) {
	const overlap, ambiguous = "Configurations overlap", "Configuration is ambiguously defined"
	for name, test := range map[string]struct {
		a, b Configuration
		want string
	}{
		"the same event":          {configuration("s3:ObjectCreated:Put", "", ""), configuration("s3:ObjectCreated:*", "", ""), overlap},
		"one of several":          {configuration("s3:ObjectRemoved:* s3:ObjectCreated:Copy", "", ""), configuration("s3:ObjectCreated:*", "", ""), overlap},
		"other events":            {configuration("s3:ObjectCreated:Put", "", ""), configuration("s3:ObjectCreated:Copy s3:ObjectRemoved:*", "", ""), ""},
		"other prefixes":          {configuration("s3:ObjectCreated:*", "a/", ""), configuration("s3:ObjectCreated:*", "b/", ""), ""},
		"a prefix of the other":   {configuration("s3:ObjectCreated:*", "a/", ""), configuration("s3:ObjectCreated:*", "a/b", ""), ambiguous},
		"a prefix of all":         {configuration("s3:ObjectCreated:*", "a/", ""), configuration("s3:ObjectCreated:*", "", ""), ambiguous},
		"other suffixes":          {configuration("s3:ObjectCreated:*", "a/", ".jpg"), configuration("s3:ObjectCreated:*", "a/b", ".png"), ""},
		"a suffix of the other":   {configuration("s3:ObjectCreated:*", "a/", ".jpg"), configuration("s3:ObjectCreated:*", "a/", "x.jpg"), ambiguous},
		"the same, encoded":       {configuration("s3:ObjectCreated:*", "a+b", ""), configuration("s3:ObjectCreated:*", "a%20b", ""), ambiguous},
		"other prefixes, encoded": {configuration("s3:ObjectCreated:*", "a%2B", ""), configuration("s3:ObjectCreated:*", "a+", ""), ""},
	} {
		for _, pair := range [][]Configuration{{test.a, test.b}, {test.b, test.a}} {
			switch err := Check(pair); {
			case test.want == "" && err != nil, test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("%s: %v, want %q", name, err, test.want)
			}
		}
	}
}

func TestWrongConfigurationsAreRefusedAsS3Does(t *testing.T) {
	right := `<Id>i</Id><CloudFunction>` + arn + `</CloudFunction><Event>s3:ObjectCreated:*</Event>`
	of := func(inner string) string {
		return `<NotificationConfiguration xmlns="` + namespace + `"><CloudFunctionConfiguration>` + inner + `</CloudFunctionConfiguration></NotificationConfiguration>`
	}
	filter := func(rules string) string { return of(right + "<Filter><S3Key>" + rules + "</S3Key></Filter>") }
	rule := func(name, value string) string {
		return "<FilterRule><Name>" + name + "</Name><Value>" + value + "</Value></FilterRule>"
	}
	if all, err := Parse([]byte(filter(rule("Prefix", "a") + rule("suffix", "b")))); err != nil || !all.Configurations[0].Matches("ObjectCreated:Put", "a/b") {
		t.Fatalf("%+v, %v", all, err)
	}
	for body, want := range map[string]string{
		"": "MalformedXML", "<a/>": "MalformedXML", of("") + "<": "not well formed", of(right + "<Else/>"): "MalformedXML",
		"<NotificationConfiguration><Else/></NotificationConfiguration>":                                            "MalformedXML",
		"<NotificationConfiguration><QueueConfiguration/></NotificationConfiguration>":                              "QueueConfiguration of s3 is not supported",
		of("<CloudFunction>" + arn + "</CloudFunction>"):                                                            "MalformedXML",
		of("<CloudFunction>arn:aws:lambda:us-east-1:0:function:f</CloudFunction><Event>s3:ObjectCreated:*</Event>"): "not well formed",
		of(right + strings.Repeat("<Event>s3:ObjectCreated:*</Event>", 30)):                                         "MalformedXML",
		of(strings.Replace(right, ":f<", ":"+strings.Repeat("f", 65)+"<", 1)):                                       "not well formed",
		of(strings.Replace(right, "Created", "Eaten", 1)):                                                           "not supported for notifications",
		filter(rule("infix", "a")):                                              "either prefix or suffix",
		filter(rule("prefix", "a") + rule("Prefix", "b")):                       "more than one prefix",
		filter(rule("prefix", strings.Repeat("a", 1025))):                       "1024 bytes",
		filter(rule("prefix", "100%")):                                          "URL-encoded",
		filter("<Else/>"):                                                       "MalformedXML",
		of(strings.Replace(right, "<Id>i", "<Id>"+strings.Repeat("i", 240), 1)): "239 bytes",
	} {
		var x *Error
		if _, err := Parse([]byte(body)); !errors.As(err, &x) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
	if _, err := Parse([]byte("<NotificationConfiguration>" + strings.Repeat("<CloudFunctionConfiguration/>", 101) + "</NotificationConfiguration>")); err == nil || !strings.Contains(err.Error(), "100") {
		t.Errorf("101 configurations: %v", err)
	}
}

func TestEventsMatchByNameAndKey(t *testing.T) {
	c := configuration("s3:ObjectCreated:* s3:ObjectTagging:Put", "in+tray/%C3%BC", ".jpg")
	for event, want := range map[[2]string]bool{
		{"ObjectCreated:Put", "in tray/ü.jpg"}:    true,
		{"ObjectCreated:Copy", "in tray/ü.jpg"}:   true,
		{"ObjectTagging:Put", "in tray/ü.jpg"}:    true,
		{"ObjectRemoved:Put", "in tray/ü.jpg"}:    false,
		{"ObjectCreated:Put", "in+tray/ü.jpg"}:    false,
		{"ObjectCreated:Put", "in tray/ü.png"}:    false,
		{"ObjectTagging:Delete", "in tray/ü.jpg"}: false,
	} {
		if got := c.Matches(event[0], event[1]); got != want {
			t.Errorf("%q: %t", event, got)
		}
	}
}

func TestWhatOthersHaveAtTheStoreStays(t *testing.T) {
	const queue = Target("arn:minio:sqs::HEARTH:webhook")
	others := `<QueueConfiguration><Id>mine</Id><Filter><S3Key><FilterRule><Name>prefix</Name><Value>a &amp; b</Value></FilterRule></S3Key></Filter><Event>s3:ObjectAccessed:Get</Event><Queue>q</Queue></QueueConfiguration>` +
		`<CloudFunctionConfiguration><Id>at AWS</Id></CloudFunctionConfiguration><EventBridgeConfiguration></EventBridgeConfiguration>` +
		`<QueueConfiguration><Id>` + mark + `of another server</Id><Queue>arn:minio:sqs::OTHER:webhook</Queue></QueueConfiguration>`
	has := `<?xml version="1.0"?><NotificationConfiguration xmlns="` + namespace + `">` + others + `<QueueConfiguration><Id>` + mark + `old</Id><Queue>arn:minio:sqs:eu-west-1:HEARTH:webhook</Queue></QueueConfiguration></NotificationConfiguration>`
	c := configuration("s3:ObjectTagging:Put s3:ObjectCreated:Put s3:ObjectTagging:* s3:ObjectAcl:Put s3:ObjectAcl:Put", "a+b", "")
	created := configuration("s3:ObjectCreated:Put", "", "")
	c.ID = "new"
	got, err := queue.Merge([]byte(has), Set{Configurations: []Configuration{created, c}, EventBridge: true})
	want := xml.Header + `<NotificationConfiguration xmlns="` + namespace + `">` + others +
		`<QueueConfiguration><Id>` + bridge + `</Id><Queue>` + string(queue) + `</Queue><Event>s3:ObjectCreated:*</Event><Event>s3:ObjectRemoved:*</Event></QueueConfiguration>` +
		`<QueueConfiguration><Id>` + mark + `new</Id><Queue>` + string(queue) + `</Queue><Event>s3:ObjectTagging:*</Event><Event>s3:ObjectAcl:Put</Event>` +
		`<Filter><S3Key><FilterRule><Name>prefix</Name><Value>a b</Value></FilterRule></S3Key></Filter></QueueConfiguration></NotificationConfiguration>`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v, want\n%s", got, err, want)
	}
	if got, err = queue.Merge(got, Set{}); err != nil || strings.Contains(string(got), mark+"new") || strings.Contains(string(got), bridge) || !strings.Contains(string(got), others) {
		t.Errorf("%s, %v", got, err)
	}
	for target, right := range map[Target]bool{queue: true, "arn:aws:sns:default::hearth": true, All: true, "": false, "arn:aws:lambda:a:b:c": false, "https://x": false} {
		if err := target.Check(); (err == nil) != right {
			t.Errorf("%s: %v", target, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`<NotificationConfiguration><CloudFunctionConfiguration><CloudFunction>` + arn + `</CloudFunction><Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>Prefix</Name><Value>a+b</Value></FilterRule></S3Key></Filter></CloudFunctionConfiguration></NotificationConfiguration>`))
	f.Add([]byte(`<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		all, err := Parse(body)
		if err != nil {
			return
		}
		again, err := Parse(Encode(all))
		if err != nil || !reflect.DeepEqual(all, again) {
			t.Errorf("%q: %+v, then %+v, %v", body, all, again, err)
		}
		merged, err := Target("arn:minio:sqs::HEARTH:webhook").Merge(Encode(Set{}), all)
		if err != nil {
			t.Fatal(err)
		}
		if left, err := Target("arn:minio:sqs::HEARTH:webhook").Merge(merged, Set{}); err != nil || strings.Contains(string(left), mark) {
			t.Errorf("%s is left, %v", left, err)
		}
	})
}

func TestEventBridgeGetsTheKeyAsItIs(t *testing.T) {
	of := func(name string) string {
		return `{"Records":[{"eventName":"` + name + `","eventTime":"2026-11-30T06:00:00.123Z","userIdentity":{"principalId":"me"},"requestParameters":{"sourceIPAddress":"192.0.2.1"},` +
			`"responseElements":{"x-amz-request-id":"R"},"s3":{"bucket":{"name":"b","arn":"arn:aws:s3:::b"},"object":{"key":"in+tray/%C3%BC","size":5,"eTag":"e","versionId":"v","sequencer":"1"}}}]}`
	}
	account := function.Account{ID: "000000000000", Region: "eu-west-1"}
	e, err := Bridge([]byte(of("ObjectRemoved:DeleteMarkerCreated")), account)
	if err != nil {
		t.Fatal(err)
	}
	e.ID = "i"
	const want = `{"version":"0","id":"i","detail-type":"Object Deleted","source":"aws.s3","account":"000000000000","time":"2026-11-30T06:00:00Z","region":"eu-west-1","resources":["arn:aws:s3:::b"],` +
		`"detail":{"version":"0","bucket":{"name":"b"},"object":{"key":"in tray/ü","size":5,"etag":"e","version-id":"v","sequencer":"1"},"request-id":"R","requester":"me","source-ip-address":"192.0.2.1",` +
		`"reason":"DeleteObject","deletion-type":"Delete Marker Created"}}`
	if got := string(e.Encode()); got != want {
		t.Errorf("%s, want\n%s", got, want)
	}
	if e, err := Bridge([]byte(of("ObjectTagging:Put")), account); e != nil || err != nil {
		t.Errorf("%+v, %v", e, err)
	}
}
