package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// A Target is where an HTTP integration sends requests.
type Target struct {
	// Scheme is http or https.
	Scheme string
	// Host is the host as requests name it, with the port if the URI has one.
	Host string
	// Address is HOST:PORT.
	Address string

	path  []targetPart // empty: the path of the request
	query string
}

// A targetPart is text of a path, or the name of a parameter.
type targetPart struct {
	text   string
	isName bool
}

// ParseTarget reads the URI of an HTTP integration: http[s]://HOST[:PORT][/PATH][?QUERY].
// {name} in the path is a parameter of the route, which has those names; nil: they are not known
// yet.
func ParseTarget(uri string, names []string) (*Target, error) {
	scheme, rest, found := strings.Cut(uri, "://")
	if !found || scheme != "http" && scheme != "https" {
		return nil, errors.New("it begins with http:// or https://")
	}
	if strings.Contains(uri, "${") {
		return nil, errors.New("${ is only for stage variables, ${stageVariables.NAME}")
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	u, err := url.Parse(scheme + "://" + rest[:end])
	if err != nil || u.Host == "" || u.User != nil || u.Hostname() == "" || strings.ContainsAny(u.Host, "{}*") {
		return nil, fmt.Errorf("%.100q is no host", rest[:end])
	}
	t := &Target{Scheme: scheme, Host: u.Host}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	t.Address = net.JoinHostPort(u.Hostname(), port)
	path, query, _ := strings.Cut(rest[end:], "?")
	if strings.ContainsAny(path+query, "# \t\r\n\\") || strings.Contains(query, "{") {
		return nil, errors.New("the path or the query has a character that is not supported")
	}
	t.query = query
	if _, err := url.PathUnescape(path); err != nil {
		return nil, err
	}
	for path != "" {
		text, after, named := strings.Cut(path, "{")
		if text != "" {
			t.path = append(t.path, targetPart{text: text})
		}
		if !named {
			break
		}
		name, more, closed := strings.Cut(after, "}")
		if !closed || name == "" || names != nil && !slices.Contains(names, strings.TrimSuffix(name, "+")) {
			return nil, fmt.Errorf("{%.64s} is no path parameter of the route", name)
		}
		t.path = append(t.path, targetPart{strings.TrimSuffix(name, "+"), true})
		path = more
	}
	return t, nil
}

// URL is where a request goes. path is that of the request, and value that of a parameter, both
// with their percent-encoding; query is the request's.
func (t *Target) URL(path, query string, value func(name string) string) (*url.URL, error) {
	if len(t.path) > 0 {
		var b strings.Builder
		for _, part := range t.path {
			if part.isName {
				b.WriteString(value(part.text))
			} else {
				b.WriteString(part.text)
			}
		}
		path = b.String()
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return nil, err
	}
	all := t.query
	if all != "" && query != "" {
		all += "&"
	}
	return &url.URL{Scheme: t.Scheme, Host: t.Address, Path: decoded, RawPath: path, RawQuery: all + query}, nil
}
