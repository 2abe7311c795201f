package gateway

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/accesslog"
)

// A Mapping is what changes of a request or an answer, as AWS writes it: "append:header.NAME",
// "overwrite:querystring.NAME", "remove:header.NAME", "overwrite:path", of an answer
// "overwrite:statuscode". A value is text in which ${request.header.NAME} and the like are
// replaced.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html
type Mapping map[string]string

// A Mapper is a Mapping that is ready.
type Mapper struct{ changes []change }

// A change is one entry of a Mapping.
type change struct {
	action, place, name string
	value               []fragment
}

// maxMapped bounds a value that a mapping makes, in bytes.
const maxMapped = 64 << 10

// ErrMapped says that a mapping makes what cannot be sent.
var ErrMapped = errors.New("the parameter mapping makes a value that cannot be sent")

// connectionHeaders are of one connection, and say where a body ends. No mapping has them.
var connectionHeaders = []string{
	"Connection", "Content-Length", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Trailers", "Transfer-Encoding", "Upgrade",
}

// mappedValue is a variable in a value: ${request.header.NAME}, or $request.header.NAME as a whole.
var mappedValue = regexp.MustCompile(`\$\{([^{}]*)\}`)

// NewMapper reads a mapping, nil if there is none. The sources are request, or response too, beside
// context and stageVariables.
func NewMapper(of Mapping, response bool) (*Mapper, error) {
	if len(of) == 0 {
		return nil, nil
	}
	m := new(Mapper)
	for _, key := range slices.Sorted(maps.Keys(of)) {
		c, err := newChange(key, of[key], response)
		if err != nil {
			return nil, fmt.Errorf("parameter mapping %.100q: %w", key, err)
		}
		m.changes = append(m.changes, *c)
	}
	return m, nil
}

func newChange(key, value string, response bool) (*change, error) {
	action, target, _ := strings.Cut(key, ":")
	place, name, named := strings.Cut(target, ".")
	c := &change{action: action, place: place, name: name}
	known := action == "append" || action == "overwrite" || action == "remove"
	switch {
	case known && place == "header" && name != "":
		c.name = textproto.CanonicalMIMEHeaderKey(name)
		if slices.Contains(connectionHeaders, c.name) || strings.ContainsAny(name, " :\r\n\t") {
			return nil, errors.New("this header cannot be mapped")
		}
	case known && place == "querystring" && name != "" && !response:
	case action == "overwrite" && place == "path" && !named && !response:
	case action == "overwrite" && place == "statuscode" && !named && response:
		if n, err := strconv.Atoi(value); err != nil || n < 200 || n > 599 {
			return nil, errors.New("a status is 200 to 599")
		}
	default:
		return nil, errors.New("append, overwrite or remove of header.NAME or querystring.NAME, and overwrite:path, of an answer header.NAME and overwrite:statuscode are supported")
	}
	if action == "remove" {
		return c, nil
	}
	var err error
	c.value, err = valueOf(value, response)
	return c, err
}

// valueOf reads a value.
func valueOf(value string, response bool) (all []fragment, err error) {
	if name, found := strings.CutPrefix(value, "$"); found && !strings.HasPrefix(name, "{") {
		return []fragment{{name, true}}, checkSource(name, response)
	}
	at := 0
	for _, m := range mappedValue.FindAllStringSubmatchIndex(value, -1) {
		name := value[m[2]:m[3]]
		if err := checkSource(name, response); err != nil {
			return nil, err
		}
		if m[0] > at {
			all = append(all, fragment{text: value[at:m[0]]})
		}
		all = append(all, fragment{name, true})
		at = m[1]
	}
	if rest := value[at:]; rest != "" {
		all = append(all, fragment{text: rest})
	}
	return all, nil
}

// checkSource checks that a variable is one that there is.
func checkSource(name string, response bool) error {
	places := []string{"request.header.", "request.querystring.", "request.path.", "stageVariables."}
	if response {
		places = []string{"response.header.", "stageVariables."}
	}
	for _, place := range places {
		if rest, found := strings.CutPrefix(name, place); found && rest != "" {
			return nil
		}
	}
	if rest, found := strings.CutPrefix(name, "context."); found {
		if _, err := accesslog.Parse("$context." + rest); err == nil {
			return nil
		}
	}
	if name == "request.path" && !response {
		return nil
	}
	return fmt.Errorf("$%.100s is not supported: there are request.header, querystring and path, of an answer response.header, and context and stageVariables", name)
}

// Has says whether something of a place is changed.
func (m *Mapper) Has(place string) bool {
	return m != nil && slices.ContainsFunc(m.changes, func(c change) bool { return c.place == place })
}

// make makes the value of a change.
func (c *change) make(value func(name string) string) (string, error) {
	var b strings.Builder
	for _, f := range c.value {
		if b.WriteString(f.value(value)); b.Len() > maxMapped {
			return "", fmt.Errorf("%w: it has more than %d bytes", ErrMapped, maxMapped)
		}
	}
	if strings.ContainsAny(b.String(), "\r\n\x00") {
		return "", fmt.Errorf("%w: it has a line break", ErrMapped)
	}
	return b.String(), nil
}

// Request changes a request, whose URL and header are the caller's own. All values are of the
// request as it was. The path has its percent-encoding, and stays as it is if it is "".
func (m *Mapper) Request(r *http.Request, value func(name string) string) (path string, err error) {
	values := make([]string, len(m.changes))
	for n := range m.changes {
		if values[n], err = m.changes[n].make(value); err != nil {
			return "", err
		}
	}
	var query url.Values
	for n := range m.changes {
		c := &m.changes[n]
		if c.absent(values[n]) {
			continue
		}
		switch c.place {
		case "header":
			c.apply(r.Header, values[n])
		case "querystring":
			if query == nil {
				query = r.URL.Query()
			}
			applyTo(query, c.action, c.name, values[n])
		case "path":
			path = (&url.URL{Path: "/" + strings.TrimLeft(values[n], "/")}).EscapedPath()
			if apigateway.HasDots(path) {
				return "", fmt.Errorf("%w: the path leads upwards", ErrMapped)
			}
		}
	}
	if query != nil {
		r.URL.RawQuery = query.Encode()
	}
	return path, nil
}

// Response changes the header of an answer, and returns its status, 0 if it stays.
func (m *Mapper) Response(header http.Header, value func(name string) string) (status int, err error) {
	values := make([]string, len(m.changes))
	for n := range m.changes {
		if values[n], err = m.changes[n].make(value); err != nil {
			return 0, err
		}
	}
	for n := range m.changes {
		c := &m.changes[n]
		switch {
		case c.place == "statuscode":
			status, _ = strconv.Atoi(values[n]) // newChange has checked it
		case !c.absent(values[n]):
			c.apply(header, values[n])
		}
	}
	return status, nil
}

// absent says whether a change gives nothing, because the variable that it gives is not there.
func (c *change) absent(value string) bool {
	return c.action != "remove" && value == "" && len(c.value) == 1 && c.value[0].isVariable
}

func (c *change) apply(header http.Header, value string) { applyTo(header, c.action, c.name, value) }

// applyTo changes values of one name.
func applyTo(all map[string][]string, action, name, value string) {
	switch action {
	case "remove":
		delete(all, name)
	case "overwrite":
		all[name] = []string{value}
	default:
		all[name] = append(slices.Clip(all[name]), value)
	}
}

// stageVariable is a stage variable in the URI of an integration.
var stageVariable = regexp.MustCompile(`\$\{stageVariables\.([A-Za-z0-9_]+)\}`)

// HasVariables says whether a URI has stage variables.
func HasVariables(uri string) bool { return stageVariable.MatchString(uri) }

// WithVariables is a URI with the stage variables in their place. One that is not there is an
// error. nil stands for those of a stage that is not known yet: each is 1.
func WithVariables(uri string, variables map[string]string) (resolved string, err error) {
	resolved = stageVariable.ReplaceAllStringFunc(uri, func(part string) string {
		name := stageVariable.FindStringSubmatch(part)[1]
		if variables == nil {
			return "1"
		}
		value, ok := variables[name]
		if !ok {
			err = fmt.Errorf("the stage variable %s of the URI is not set", name)
		}
		return value
	})
	return resolved, err
}

// Resolve checks an integration whose URI had stage variables. One that is wrong is Broken, so that
// only its own route fails.
func (i *Integration) Resolve(p Protocol, key string, err error) {
	if err == nil {
		err = (&API{Protocol: p, Routes: []Route{{Key: key, Integration: *i}}}).Check()
	}
	if err != nil {
		*i = Integration{Type: i.Type, Broken: err.Error()}
	}
}

// CheckMappings checks the parameter mappings of an integration.
func (i *Integration) CheckMappings(p Protocol) error {
	m, err := NewMapper(i.Requests, false)
	if err != nil {
		return err
	}
	if m.Has("path") {
		_, rest, _ := strings.Cut(i.URI, "://")
		if i.Type != HTTPProxy || i.URI == "" || strings.ContainsAny(rest, "/?") {
			return errors.New("overwrite:path is supported of HTTP_PROXY with a URI that has no path")
		}
	}
	for status, of := range i.Answers {
		if n, err := strconv.Atoi(status); err != nil || n < 200 || n > 599 {
			return fmt.Errorf("mapping of answers: status %.20q: 200 to 599 are possible", status)
		}
		if _, err := NewMapper(of, true); err != nil {
			return err
		}
	}
	if p == WebSocket && len(i.Requests)+len(i.Answers) > 0 {
		return errors.New("WebSocket APIs map no parameters")
	}
	return nil
}
