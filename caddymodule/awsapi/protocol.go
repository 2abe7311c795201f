package awsapi

import (
	"net/http"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/awsapi/foreign"
	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
)

// A protocol is how a call and its answer are written. Some services speak several.
type protocol uint8

const (
	restJSON protocol = iota
	awsJSON
	query
	rpcCBOR
)

// ofModel is the protocol of a service that speaks one.
func ofModel(m *model.Model) protocol {
	switch m.Protocol {
	case "json":
		return awsJSON
	case "query":
		return query
	}
	return restJSON
}

// find finds the service and the operation of a call. The operation of a call by the query
// protocol is in the body, which is not read yet.
func (e *Endpoint) find(r *http.Request) (*Service, model.Route, protocol) {
	target := r.Header.Get("X-Amz-Target")
	scope := foreign.Service(r)
	cbor := r.Header.Get("Smithy-Protocol") == "rpc-v2-cbor"
	for _, s := range e.Services {
		if cbor {
			if route, ok := s.ofPath(r); ok {
				return s, route, rpcCBOR
			}
			continue
		}
		if s.Model.Speaks("json") && target != "" {
			if r.URL.Path != "/" { // that of another handler, as a console
				continue
			}
			prefix, name, found := strings.Cut(target, ".")
			if found && prefix == s.Model.TargetPrefix {
				if route, ok := s.Model.Operation(name); ok {
					return s, route, awsJSON
				}
			}
			continue
		}
		if s.Model.Speaks("query") {
			if scope == s.Model.Scope && target == "" && r.URL.Path == "/" && (r.Method == http.MethodPost || r.Method == http.MethodGet) {
				return s, model.Route{}, query
			}
			continue
		}
		// Services may share a scope, as those of API Gateway do.
		if ofModel(s.Model) != restJSON || scope != s.Model.Scope {
			continue
		}
		if route, _ := s.Model.Match(r.Method, r.URL); route.Operation != nil {
			return s, route, restJSON
		}
	}
	return nil, model.Route{}, 0
}

// ofPath is the operation that a call by RPC v2 names in its path.
// https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
func (s *Service) ofPath(r *http.Request) (route model.Route, ok bool) {
	if !s.Model.Speaks("smithy-rpc-v2-cbor") || r.Method != http.MethodPost {
		return route, false
	}
	rest, found := strings.CutPrefix(r.URL.Path, "/service/"+s.Model.TargetPrefix+"/operation/")
	if !found {
		return route, false
	}
	return s.Model.Operation(rest)
}

// mark writes the header that says how an answer is written.
func (p protocol) mark(s *Service, h http.Header) {
	switch p {
	case awsJSON:
		h.Set("Content-Type", "application/x-amz-json-"+s.Model.JSONVersion)
	case query:
		h.Set("Content-Type", "text/xml")
	case rpcCBOR:
		h.Set("Content-Type", "application/cbor")
		h["smithy-protocol"] = []string{"rpc-v2-cbor"}
	default:
		h.Set("Content-Type", "application/json")
	}
}
