package apigatewayv2

import (
	"cmp"
	"maps"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
	"github.com/hearthfn/hearth/warmpool/function"
)

// What follows is what package apigatewayv1 has in common with this one.

// A Reader reads an API of another kind from its documents: ErrNotFound if it is none.
type Reader func(set *document.Set, id string) (*Served, error)

// Owner is who owns the documents of an API. "" is what all owners begin with.
func Owner(id string) string { return ownerAPI + id }

// ValidID says whether an identifier can be one that NewID made.
func ValidID(id string) bool { return validID(id) }

// NewID is n random letters and digits, as AWS's identifiers are.
func NewID(n int) string { return newID(n) }

// CheckTags checks the tags of a resource.
func CheckTags(tags map[string]string) error { return checkTags(tags) }

// A TagInput is what the operations of tags are asked.
type TagInput struct {
	ResourceArn string
	Tags        map[string]string
	TagKeys     []string
}

// Add adds the tags of the input.
func (in *TagInput) Add(tags map[string]string) { maps.Copy(tags, in.Tags) }

// Remove removes the tags of the input.
func (in *TagInput) Remove(tags map[string]string) {
	for _, key := range in.TagKeys {
		delete(tags, key)
	}
}

// TagsOutput are the tags of a resource.
type TagsOutput struct {
	Tags map[string]string `json:"tags"`
}

// Tagged is the API, and the stage of it if that is meant, which an ARN names. kind is apis or
// restapis: arn:aws:apigateway:REGION::/KIND/ID[/stages/NAME].
func (c *Config) Tagged(arn, kind string) (apiID, stage string, err error) {
	path, found := strings.CutPrefix(arn, "arn:aws:apigateway:"+c.Account.Region+"::/"+kind+"/")
	apiID, rest, inside := strings.Cut(path, "/")
	if inside {
		stage, inside = strings.CutPrefix(rest, "stages/")
		found = found && inside && stage != ""
	}
	if !found || apiID == "" {
		return "", "", invalid("Invalid resource ARN: arn:aws:apigateway:%[1]s::/%[2]s/ID or .../%[2]s/ID/stages/NAME is expected", c.Account.Region, kind)
	}
	return apiID, stage, nil
}

// Retag changes tags, and checks them.
func Retag(tags *map[string]string, change func(tags map[string]string)) error {
	if *tags == nil {
		*tags = make(map[string]string)
	}
	change(*tags)
	return checkTags(*tags)
}

// Invalid is the exception for a request that is wrong.
func Invalid(format string, args ...any) error { return invalid(format, args...) }

// Conflicts is the exception for a request that does not fit what is there.
func Conflicts(format string, args ...any) error { return conflicts(format, args...) }

// IsMissing reports whether an error is the exception for what is not there.
func IsMissing(err error) bool { return isMissing(err) }

// Changed has an API read again when it is asked for.
func (p *APIs) Changed(id string) { p.changed(id) }

// TargetOf is the function of a URI that FunctionOf has checked.
func TargetOf(uri string) (name, qualifier string) { return targetOf(uri) }

// The URI of an integration that streams what its function answers, around the function's ARN.
const (
	streamPath = "lambda:path/2021-11-15/functions/"
	streamEnd  = "/response-streaming-invocations"
)

// Streams says whether a URI is that of an integration that streams, which REST APIs have.
func Streams(uri string) bool { return strings.HasSuffix(uri, streamEnd) }

// FunctionOf is the function that a URI names: its ARN, as it is or wrapped in one of API
// Gateway's: arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/ARN/invocations.
func FunctionOf(account function.Account, uri string) (name, qualifier string, err error) {
	uri, _ = gateway.WithVariables(uri, nil)
	arn := uri
	if rest, found := strings.CutPrefix(uri, "arn:aws:apigateway:"); found {
		region, path, _ := strings.Cut(rest, ":")
		if arn, found = strings.CutPrefix(path, "lambda:path/2015-03-31/functions/"); found {
			arn, found = strings.CutSuffix(arn, "/invocations")
		} else if arn, found = strings.CutPrefix(path, streamPath); found {
			arn, found = strings.CutSuffix(arn, streamEnd)
		}
		if !found || region != account.Region {
			return "", "", invalid("Invalid Lambda function ARN specified for URI: arn:aws:apigateway:%s:lambda:path/2015-03-31/functions/FUNCTION_ARN/invocations is expected", account.Region)
		}
	}
	if strings.Contains(arn, "${") {
		return "", "", invalid("Invalid Lambda function ARN specified for URI: ${ is only for stage variables, ${stageVariables.NAME}")
	}
	if !strings.HasPrefix(arn, "arn:") {
		return "", "", invalid("Invalid Lambda function ARN specified for URI: it is no ARN")
	}
	name, qualifier, err = account.Parse(arn)
	if err != nil {
		return "", "", invalid("Invalid Lambda function ARN specified for URI: %v", err)
	}
	return name, cmp.Or(qualifier, function.Latest), nil
}

// CheckAccessLog checks what is written of each request of a stage. nil is nothing.
func (c *Config) CheckAccessLog(l *AccessLog) error { return l.check(&service{*c}) }

// Gateway is an access log as the data plane knows it, nil for none.
func (l *AccessLog) Gateway() *gateway.AccessLog { return l.gateway() }
