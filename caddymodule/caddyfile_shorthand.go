package caddymodule

import (
	"regexp"
	"strings"
)

// parameter is a path parameter in the address of an integration. Placeholders of Caddy have
// dots.
var parameter = regexp.MustCompile(`\{[A-Za-z0-9_-]+\}`)

// unshorten undoes what Caddy makes of path parameters before a directive gets them: {file}
// has become {http.request.uri.path.file}, say. Paths of routes have no placeholders.
// https://caddyserver.com/docs/caddyfile/concepts#placeholders
var unshorten = func() *strings.Replacer {
	var pairs []string
	for short, long := range map[string]string{
		"host": "host", "hostport": "hostport", "port": "port",
		"orig_method": "orig_method", "orig_uri": "orig_uri", "orig_path": "orig_uri.path",
		"orig_dir": "orig_uri.path.dir", "orig_file": "orig_uri.path.file", "orig_query": "orig_uri.query",
		"method": "method", "uri": "uri", "path": "uri.path", "dir": "uri.path.dir", "file": "uri.path.file",
		"query": "uri.query", "remote": "remote", "remote_host": "remote.host", "remote_port": "remote.port",
		"scheme": "scheme", "uuid": "uuid",
	} {
		pairs = append(pairs, "{http.request."+long+"}", "{"+short+"}")
	}
	return strings.NewReplacer(append(pairs, "{http.vars.client_ip}", "{client_ip}")...)
}()
