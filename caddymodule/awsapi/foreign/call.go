package foreign

import (
	"io"
	"net/http"
	"net/url"
	"strings"
)

// A protocol is how a service's calls and errors are written.
type protocol uint8

const (
	restJSON protocol = iota
	restXML
	s3XML
	awsJSON
	awsCBOR // the JSON protocol with CBOR for JSON, as Kinesis has it
	rpcCBOR
	rpcJSON
	query
	ec2Query
)

// A Call is a request to a service of AWS's.
type Call struct {
	service   string // as the credential scope or the target has it, "" if nothing tells
	operation string // its name, or method and path where only a model knows it
	protocol  protocol
}

// maxAction is how much of a form is read for the name of its action, which clients
// write first, and maxName how much of a name is repeated, in bytes.
const (
	maxAction = 64 << 10
	maxName   = 128
)

// Is tells whether a request is a call of AWS's: it is signed for a service, or has a
// header that clients of AWS's alone send.
func Is(r *http.Request) bool {
	h := r.Header
	return h.Get("X-Amz-Target") != "" || h.Get("Smithy-Protocol") != "" || h.Get("Amz-Sdk-Invocation-Id") != "" || Service(r) != ""
}

// Of tells what a call is. It reads part of the body, so nobody else can answer after.
func Of(r *http.Request) Call {
	target := r.Header.Get("X-Amz-Target")
	service := Service(r)
	c := Call{service: service, operation: r.Method + " " + r.URL.EscapedPath()}
	contentType := r.Header.Get("Content-Type")
	rpcService, rpcOperation, isRPC := rpcOf(r.URL.Path)
	switch {
	case target != "":
		c.protocol = awsJSON
		if strings.Contains(contentType, "cbor") {
			c.protocol = awsCBOR
		}
		prefix, operation, found := strings.Cut(target, ".")
		if !found {
			prefix, operation = "", target
		}
		if c.operation = operation; c.service == "" {
			c.service = prefix
		}
	case isRPC && strings.HasPrefix(r.Header.Get("Smithy-Protocol"), "rpc-v2-"):
		c.protocol = rpcCBOR
		if strings.HasSuffix(r.Header.Get("Smithy-Protocol"), "json") {
			c.protocol = rpcJSON
		}
		if c.operation = rpcOperation; c.service == "" {
			c.service = rpcService
		}
	case service == "s3" || service == "s3-outposts" || service == "s3express":
		c.protocol = s3XML
	case service == "cloudfront" || service == "route53":
		c.protocol = restXML
	default:
		if action := actionOf(r, contentType); action != "" {
			c.operation, c.protocol = action, query
			if service == "ec2" {
				c.protocol = ec2Query
			}
		}
	}
	c.service, c.operation = plain(c.service), plain(c.operation)
	return c
}

// Service is the service in the credential scope of a signature, be it in the header
// or in the address.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func Service(r *http.Request) string {
	scope := ""
	authorization := r.Header.Get("Authorization")
	if algorithm, fields, _ := strings.Cut(authorization, " "); strings.HasPrefix(algorithm, "AWS4-") {
		_, scope, _ = strings.Cut(fields, "Credential=")
		scope, _, _ = strings.Cut(scope, ",")
	} else if strings.Contains(r.URL.RawQuery, "X-Amz-Credential=") {
		if values, err := url.ParseQuery(r.URL.RawQuery); err == nil {
			scope = values.Get("X-Amz-Credential")
		}
	}
	parts := strings.Split(strings.TrimSpace(scope), "/")
	if len(parts) < 4 || parts[len(parts)-1] != "aws4_request" {
		return ""
	}
	return parts[len(parts)-2]
}

// rpcOf reads a path of the protocols of RPC, /service/NAME/operation/NAME.
func rpcOf(path string) (service, operation string, ok bool) {
	parts := strings.Split(path, "/")
	n := len(parts)
	if n < 5 || parts[n-4] != "service" || parts[n-2] != "operation" {
		return "", "", false
	}
	return parts[n-3], parts[n-1], true
}

// actionOf is the Action of a form, or of a query that stands for one.
func actionOf(r *http.Request, contentType string) string {
	form := r.URL.RawQuery
	if strings.HasPrefix(contentType, "application/x-www-form-urlencoded") {
		head, err := io.ReadAll(io.LimitReader(r.Body, maxAction))
		if err != nil {
			return ""
		}
		form = string(head)
	}
	for pair := range strings.SplitSeq(form, "&") {
		if name, value, _ := strings.Cut(pair, "="); name == "Action" {
			if action, err := url.QueryUnescape(value); err == nil {
				return action
			}
		}
	}
	return ""
}

// plain is a name as far as it can be repeated in every format.
func plain(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, name)
	if len(name) > maxName {
		name = name[:maxName] + "..."
	}
	return name
}
