package notification

import (
	"crypto/rand"
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A Set is what a bucket notifies of.
type Set struct {
	Configurations []Configuration `json:",omitempty"`
	// EventBridge: events go to the default bus, too.
	EventBridge bool `json:",omitempty"`
}

// IsZero reports whether a bucket notifies of nothing.
func (s *Set) IsZero() bool { return len(s.Configurations) == 0 && !s.EventBridge }

// A Configuration has a function run for events of a bucket.
type Configuration struct {
	ID       string
	Function string   // ARN
	Events   []string // such as s3:ObjectCreated:*
	Rules    []Rule   `json:",omitempty"`
}

// A Rule is a condition on the keys of objects.
type Rule struct {
	Name  string // prefix or suffix
	Value string // form-encoded, as in the events
}

// value is what a rule asks for, decoded; "" without such a rule.
func (c *Configuration) value(name string) string {
	for _, r := range c.Rules {
		if r.Name == name {
			if plain, err := url.QueryUnescape(r.Value); err == nil {
				return plain
			}
			return r.Value // Check has refused it
		}
	}
	return ""
}

// Prefix and Suffix are what the keys of objects begin and end with, not encoded.
func (c *Configuration) Prefix() string { return c.value("prefix") }

// Suffix is described at Prefix.
func (c *Configuration) Suffix() string { return c.value("suffix") }

// Matches reports whether an event, without s3: in front of its name, is one of this
// configuration. The key is not encoded.
func (c *Configuration) Matches(event, key string) bool {
	return slices.ContainsFunc(c.Events, func(wanted string) bool { return covers(wanted, "s3:"+event) }) &&
		strings.HasPrefix(key, c.Prefix()) && strings.HasSuffix(key, c.Suffix())
}

// covers reports whether an event's name, which may end with a star, stands for another.
func covers(wanted, name string) bool {
	if kind, any := strings.CutSuffix(wanted, "*"); any {
		return strings.HasPrefix(name, kind)
	}
	return wanted == name
}

// An Error is why a configuration is refused. Arguments are names and values of what it is about.
type Error struct {
	Status        int
	Code, Message string
	Arguments     [][2]string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func invalid(message string, arguments ...[2]string) error {
	for n, a := range arguments { // a client may have sent megabytes
		if len(a[1]) > 256 {
			arguments[n][1] = strings.ToValidUTF8(a[1][:256], "") + "..."
		}
	}
	return &Error{http.StatusBadRequest, "InvalidArgument", message, arguments}
}

var errMalformed = &Error{Status: http.StatusBadRequest, Code: "MalformedXML", Message: "The XML you provided was not well-formed or did not validate against our published schema"}

type xmlRule struct{ Name, Value string }

type xmlKey struct {
	Rules []xmlRule    `xml:"FilterRule"`
	Rest  []xmlElement `xml:",any"`
}

type xmlFilter struct {
	Key  *xmlKey      `xml:"S3Key"`
	Rest []xmlElement `xml:",any"`
}

type xmlFunction struct {
	ID       string       `xml:"Id"`
	Function string       `xml:"CloudFunction"`
	Events   []string     `xml:"Event"`
	Filter   *xmlFilter   `xml:"Filter,omitempty"`
	Rest     []xmlElement `xml:",any"`
}

// An xmlElement is an element as it is.
type xmlElement struct {
	XMLName xml.Name
	Inner   []byte `xml:",innerxml"`
}

type xmlConfigurations struct {
	XMLName   xml.Name      `xml:"NotificationConfiguration"`
	Namespace string        `xml:"xmlns,attr,omitempty"`
	Functions []xmlFunction `xml:"CloudFunctionConfiguration"`
	Bridge    *struct{}     `xml:"EventBridgeConfiguration"`
	Rest      []xmlElement  `xml:",any"`
}

// maxConfigurations is how many a bucket has at most.
// https://docs.aws.amazon.com/general/latest/gr/s3.html
const maxConfigurations = 100

// Concerns reports whether a body has what this server does, and the store does not.
func Concerns(body []byte) bool {
	var in xmlConfigurations
	return xml.Unmarshal(body, &in) == nil && (len(in.Functions) > 0 || in.Bridge != nil)
}

// Parse reads and checks the body of PutBucketNotificationConfiguration. An error is an *Error.
// Configurations without an ID get one.
func Parse(body []byte) (set Set, err error) {
	var in xmlConfigurations
	if err := xml.Unmarshal(body, &in); err != nil {
		return set, errMalformed
	}
	for _, other := range in.Rest {
		switch kind := other.XMLName.Local; kind {
		case "QueueConfiguration", "TopicConfiguration":
			return set, &Error{Status: http.StatusNotImplemented, Code: "NotImplemented", Message: kind + " of s3 is not supported: with the option notify this server has functions run for events, and the default bus of EventBridge gets them. " +
				"Set other targets at the object store itself: what is set there stays."}
		default:
			return set, errMalformed
		}
	}
	if len(in.Functions) > maxConfigurations {
		return set, invalid("A bucket has 100 notification configurations at most.")
	}
	set.EventBridge = in.Bridge != nil
	for n := range in.Functions {
		c, err := in.Functions[n].read()
		if err != nil {
			return set, err
		}
		set.Configurations = append(set.Configurations, c)
	}
	return set, Check(set.Configurations)
}

func (f *xmlFunction) read() (c Configuration, err error) {
	if len(f.Rest) > 0 || f.Filter != nil && len(f.Filter.Rest) > 0 {
		return c, errMalformed
	}
	c = Configuration{ID: f.ID, Function: strings.TrimSpace(f.Function)}
	for _, name := range f.Events {
		c.Events = append(c.Events, strings.TrimSpace(name))
	}
	if c.ID == "" {
		c.ID = rand.Text()
	}
	if f.Filter == nil || f.Filter.Key == nil {
		return c, nil
	}
	if len(f.Filter.Key.Rest) > 0 {
		return c, errMalformed
	}
	for _, r := range f.Filter.Key.Rules {
		c.Rules = append(c.Rules, Rule{strings.ToLower(r.Name), r.Value})
	}
	return c, nil
}

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// Encode writes what GetBucketNotificationConfiguration answers.
func Encode(set Set) []byte {
	out := xmlConfigurations{Namespace: namespace}
	if set.EventBridge {
		out.Bridge = new(struct{})
	}
	for n := range set.Configurations {
		c := &set.Configurations[n]
		f := xmlFunction{ID: c.ID, Function: c.Function, Events: c.Events}
		if len(c.Rules) > 0 {
			f.Filter = &xmlFilter{Key: new(xmlKey)}
			for _, r := range c.Rules {
				f.Filter.Key.Rules = append(f.Filter.Key.Rules, xmlRule{strings.ToUpper(r.Name[:1]) + r.Name[1:], r.Value})
			}
		}
		out.Functions = append(out.Functions, f)
	}
	return encode(&out)
}

func encode(value any) []byte {
	body, err := xml.Marshal(value)
	if err != nil {
		panic(err) // plain structs
	}
	return append([]byte(xml.Header), body...)
}
