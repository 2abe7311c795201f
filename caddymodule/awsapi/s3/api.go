package s3

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi/access"
	"github.com/hearthfn/hearth/caddymodule/awsapi/foreign"
	"github.com/hearthfn/hearth/caddymodule/awsapi/s3/artefact"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/warmpool/flood"
	"github.com/hearthfn/hearth/warmpool/function"
)

// Config of an API. All fields are required.
type Config struct {
	Store    *artefact.Store
	Verifier *sigv4.Verifier
	Access   *access.Authority // what roles may do
	Account  function.Account
	Refusals *flood.Gate // bounds what failed requests write to the log
	Log      *zap.Logger
}

// An API answers requests to S3.
type API struct {
	Config
	busy chan struct{} // has one element for each body that is being read
}

// maxBodies is how many bodies are read at once.
const maxBodies = 64

// New makes an API.
func New(c Config) *API { return &API{Config: c, busy: make(chan struct{}, maxBodies)} }

// A call is a request to S3.
type call struct {
	*http.Request
	place
	api   *API
	w     http.ResponseWriter
	id    string
	check *sigv4.Check
	query map[string][]string
}

func (c *call) param(name string) string {
	if values := c.query[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// An operation answers a call.
type operation struct {
	name string
	run  func(c *call) error
	// params and headers are those that it knows: in the query, and those that begin with
	// x-amz-. All others are refused by name.
	params, headers []string
	changes         bool
}

// Serve answers a request that is signed for S3, and reports whether it is one.
func (a *API) Serve(w http.ResponseWriter, r *http.Request) bool {
	// Signatures of version 2, which S3 had until 2014, are refused here. Else the site would
	// answer, and a client could take that for success.
	old := isOld(r)
	if !old && foreign.Service(r) != sigv4.S3 {
		return false
	}
	id := function.NewRequestID()
	w.Header()["X-Amz-Request-Id"] = []string{id}
	// Go's server does not ask for an empty body. botocore, which waits for that, would not
	// use the connection again as it should.
	if r.ContentLength == 0 && r.ProtoMajor == 1 && strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		w.WriteHeader(http.StatusContinue)
	}
	if err := a.serve(w, r, id, old); err != nil {
		a.fail(w, r, id, err)
	}
	return true
}

func isOld(r *http.Request) bool {
	if strings.HasPrefix(r.Header.Get("Authorization"), "AWS ") {
		return true
	}
	return strings.Contains(r.URL.RawQuery, "AWSAccessKeyId=") && strings.Contains(r.URL.RawQuery, "Signature=")
}

func (a *API) serve(w http.ResponseWriter, r *http.Request, id string, old bool) error {
	if old {
		return badRequest("The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")
	}
	check, err := a.Verifier.Begin(r, sigv4.S3)
	if err != nil {
		return err
	}
	c := &call{Request: r, api: a, w: w, id: id, check: check, query: r.URL.Query()}
	if c.place, err = a.placeOf(r, c.query); err != nil {
		return err
	}
	op, err := c.find()
	if err != nil {
		return err
	}
	if err := a.bootstrap(c.bucket); err != nil {
		return err
	}
	if key := check.Key(); key.ReadOnly && op.changes {
		return refuse(http.StatusForbidden, "AccessDenied", "User: arn:aws:iam::"+a.Account.ID+":user/"+key.ID+
			" is not authorized to perform: s3:"+op.name+" because its access key is read-only")
	}
	if err := c.permit(op); err != nil {
		return err
	}
	if err := c.admit(op); err != nil {
		return err
	}
	return op.run(c)
}

// bootstrap makes the bucket of the CDK's assets when somebody asks for it: nobody needs to
// bootstrap this server.
// https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html
func (a *API) bootstrap(bucket string) error {
	if bucket != "cdk-hnb659fds-assets-"+a.Account.ID+"-"+a.Account.Region {
		return nil
	}
	err := a.Store.CreateBucket(artefact.Bucket{Name: bucket, Created: time.Now().UTC()})
	if errors.Is(err, artefact.ErrExists) {
		return nil
	}
	return err
}

// subresources are the parameters that name an operation.
// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectOps.html
var subresources = []string{
	"abac", "accelerate", "acl", "analytics", "attributes", "cors", "delete", "encryption", "intelligent-tiering", "inventory", "legal-hold",
	"lifecycle", "location", "logging", "metadataConfiguration", "metadataTable", "metrics", "notification", "object-lock", "ownershipControls",
	"policy", "policyStatus", "publicAccessBlock", "renameObject", "replication", "requestPayment", "restore", "retention", "select",
	"session", "tagging", "torrent", "uploadId", "uploads", "versioning", "versions", "website",
}

// find finds the operation of a call.
func (c *call) find() (*operation, error) {
	level := "service"
	switch {
	case c.key != "":
		level = "object"
	case c.bucket != "":
		level = "bucket"
	}
	sub := ""
	for name := range c.query {
		if slices.Contains(subresources, name) {
			if sub != "" {
				return nil, badRequest("Conflicting query string parameters: " + sub + ", " + name)
			}
			sub = name
		}
	}
	name := c.Method + " " + level + " " + sub
	if level == "bucket" && c.Method == http.MethodGet && sub == "" && c.param("list-type") == "2" {
		name = "GET bucket list-type"
	}
	if level == "object" && c.Method == http.MethodPut && c.Header.Get("X-Amz-Copy-Source") != "" {
		name += " copy"
	}
	if op := operations[name]; op != nil {
		return op, nil
	}
	if sub == "notification" {
		return nil, refuse(http.StatusNotImplemented, "NotImplemented", c.Method+" ?notification of s3 is not supported: this server keeps the files of deployments. "+
			"Set its option s3 to an object store, with notify, and functions run for events of a bucket there.")
	}
	if sub != "" {
		sub = " ?" + sub
	}
	return nil, notSupported(c.Method + sub + " (" + level + ")")
}

// Those that every operation knows.
var (
	anyParams  = []string{"x-id"}
	anyHeaders = []string{"date", "content-sha256", "security-token", "user-agent", "sdk-checksum-algorithm", "expected-bucket-owner", "request-payer", "cf-id", "optional-object-attributes"}
)

// admit refuses what an operation does not know.
func (c *call) admit(op *operation) error {
	for name := range c.query {
		lower := strings.ToLower(name)
		if slices.Contains(subresources, name) || slices.Contains(op.params, name) || slices.Contains(anyParams, name) {
			continue
		}
		// A signed address may have headers in its query.
		if rest, found := strings.CutPrefix(lower, "x-amz-"); found {
			switch rest {
			case "algorithm", "credential", "date", "expires", "signedheaders", "signature", "security-token", "content-sha256":
				continue
			}
			if c.Header.Get(name) == "" {
				c.Header.Set(name, c.param(name))
			}
			continue
		}
		return notSupported("The parameter " + printable(name) + " (" + op.name + ")")
	}
	for name := range c.Header {
		rest, found := strings.CutPrefix(strings.ToLower(name), "x-amz-")
		if !found || slices.Contains(anyHeaders, rest) || slices.Contains(op.headers, rest) {
			continue
		}
		if strings.HasPrefix(rest, "meta-") && slices.Contains(op.headers, "meta-") {
			continue
		}
		return notSupported("The header x-amz-" + printable(rest) + " (" + op.name + ")")
	}
	if owner := c.Header.Get("X-Amz-Expected-Bucket-Owner"); owner != "" && owner != c.api.Account.ID {
		return refuse(http.StatusForbidden, "AccessDenied", "The bucket is not owned by the expected bucket owner.")
	}
	return nil
}

// answer answers with XML.
func (c *call) answer(value any) error {
	body := encode(value)
	c.w.Header().Set("Content-Type", "application/xml")
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(body) // the client may be gone
	return nil
}

func (c *call) empty(status int) error {
	c.w.WriteHeader(status)
	return nil
}

// printable is a name as far as it can be repeated.
func printable(name string) string {
	if len(name) > 100 {
		name = name[:100] + "..."
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, name)
}
