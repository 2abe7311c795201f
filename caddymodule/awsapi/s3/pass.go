package s3

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/hearthfn/hearth/caddymodule/awsapi/access"
	"github.com/hearthfn/hearth/caddymodule/awsapi/foreign"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/warmpool/function"
)

// A Backend is the S3 of the configuration.
type Backend struct {
	Endpoint    *url.URL
	Region      string
	Credentials aws.CredentialsProvider // nil: its requests are not signed
	// Notify is how events of the store come to functions; nil: they do not by its API.
	Notify *Notify
}

// A Passage passes requests to S3 on to the S3 of the configuration, signed anew. Bodies are streamed.
type Passage struct {
	*API // answers refusals; it has no store
	to   Backend
	// host is the name of this server, without a port, "" if it is not known: buckets may stand
	// before it.
	host   func() string
	signer *v4.Signer
	client *http.Client
}

// NewPassage makes a passage. c needs no Store.
func NewPassage(c Config, to Backend, host func() string) *Passage {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression, transport.Proxy, transport.MaxIdleConnsPerHost = true, nil, maxBodies
	transport.ResponseHeaderTimeout = 5 * time.Minute // a large upload in parts is completed
	return &Passage{
		API: &API{Config: c, busy: make(chan struct{}, 4*maxBodies)}, to: to, host: host,
		signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }),
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

// Serve answers a request that is signed for S3, and reports whether it is one.
func (p *Passage) Serve(w http.ResponseWriter, r *http.Request) bool {
	old := isOld(r)
	if !old && foreign.Service(r) != sigv4.S3 {
		return false
	}
	id := function.NewRequestID()
	if err := p.pass(w, r, id, old); err != nil {
		w.Header()["X-Amz-Request-Id"] = []string{id}
		p.fail(w, r, id, err)
	}
	return true
}

func (p *Passage) pass(w http.ResponseWriter, r *http.Request, id string, old bool) error {
	if old {
		return badRequest("The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")
	}
	check, err := p.Verifier.Begin(r, sigv4.S3)
	if err != nil {
		return err
	}
	c := &call{Request: r, api: p.API, w: w, id: id, check: check, query: r.URL.Query()}
	bucketInHost, err := p.locate(c)
	if err != nil {
		return err
	}
	key := check.Key()
	if key.ReadOnly && r.Method != http.MethodGet && r.Method != http.MethodHead {
		return refuse(http.StatusForbidden, "AccessDenied", "User: "+key.ARN(p.Account.ID)+" is not authorized to change anything in s3 because its access key is read-only")
	}
	var document []byte
	if key.Role != nil && !p.Access.Off {
		if document, err = c.permitPassed(); err != nil {
			return err
		}
	}
	leave, err := p.enter()
	if err != nil {
		return err
	}
	defer leave()
	if c.isNotification() {
		answered, body, err := p.notification(c)
		if answered || err != nil {
			return err
		}
		document = body
	}
	return p.forward(c, document, bucketInHost)
}

// locate finds the bucket and the key. Paths with . and .. are refused: a server behind could take
// them for others.
func (p *Passage) locate(c *call) (bucketInHost bool, err error) {
	for _, segment := range strings.Split(c.URL.Path, "/") {
		if segment == "." || segment == ".." {
			return false, refuse(http.StatusBadRequest, "InvalidURI", "Couldn't parse the specified URI: the path has a segment . or ..")
		}
	}
	host := c.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	path := strings.TrimPrefix(c.URL.Path, "/")
	own := p.host()
	bucket, isBucket := strings.CutSuffix(host, "."+own)
	switch {
	case net.ParseIP(strings.Trim(host, "[]")) != nil, host == "localhost", host == own:
		c.bucket, c.key, _ = strings.Cut(path, "/")
	case isBucket && own != "":
		c.bucket, c.key, bucketInHost = bucket, path, true
	default:
		return false, badRequest("The host is not this server's name: have the client use paths (addressing_style = path).")
	}
	if c.bucket != "" && !isBucketName(c.bucket) {
		return false, refuse(http.StatusBadRequest, "InvalidBucketName", "The specified bucket is not valid.")
	}
	return bucketInHost, nil
}

// passedParams are the parameters that say nothing of which operation it is.
var passedParams = []string{
	"x-id", "list-type", "prefix", "delimiter", "max-keys", "marker", "continuation-token", "start-after", "encoding-type", "fetch-owner", "bucket-region",
	"max-parts", "part-number-marker", "partNumber", "versionId", "key-marker", "upload-id-marker", "version-id-marker", "max-uploads", "max-buckets",
	"response-cache-control", "response-content-disposition", "response-content-encoding", "response-content-language", "response-content-type", "response-expires",
}

// permitPassed asks the policies of a role. It reads the body of DeleteObjects, which names
// objects.
func (c *call) permitPassed() (document []byte, err error) {
	sub := ""
	for name := range c.query {
		lower := strings.ToLower(name)
		switch {
		case slices.Contains(subresources, name) && sub == "":
			sub = name
		case slices.Contains(subresources, name):
			return nil, badRequest("Conflicting query string parameters: " + sub + ", " + name)
		case !slices.Contains(passedParams, name) && !strings.HasPrefix(lower, "x-amz-"):
			return nil, notPassed("The parameter " + printable(name))
		}
		if len(c.query[name]) > 1 {
			return nil, badRequest("The parameter " + printable(name) + " is there twice.")
		}
	}
	for name, values := range c.Header {
		if strings.HasPrefix(name, "X-Amz-") && len(values) > 1 {
			return nil, badRequest("The header " + printable(name) + " is there twice.")
		}
	}
	if c.Header.Get("X-Amz-Bypass-Governance-Retention") != "" {
		return nil, notPassed("X-Amz-Bypass-Governance-Retention")
	}
	level := "service"
	switch {
	case c.key != "":
		level = "object"
	case c.bucket != "":
		level = "bucket"
	}
	if level == "bucket" && c.Method == http.MethodPost && sub == "delete" {
		return c.permitDeletes()
	}
	needs := access.S3(access.S3Operation(c.Method, level, sub, c.param("versionId") != ""), c.bucket, c.key)
	for header, operation := range map[string]string{"X-Amz-Acl": "PutObjectAcl", "X-Amz-Tagging": "PutObjectTagging", "X-Amz-Object-Lock-Mode": "PutObjectRetention", "X-Amz-Object-Lock-Legal-Hold": "PutObjectLegalHold"} {
		if c.Header.Get(header) != "" && level == "object" {
			needs = append(needs, access.S3(operation, c.bucket, c.key)...)
		}
	}
	for name := range c.Header {
		if strings.HasPrefix(name, "X-Amz-Grant-") {
			needs = append(needs, access.S3("PutObjectAcl", c.bucket, c.key)...)
		}
	}
	if source := c.Header.Get("X-Amz-Copy-Source"); source != "" {
		more, err := copyNeeds(source)
		if err != nil {
			return nil, err
		}
		needs = append(needs, more...)
	}
	return nil, c.may(needs...)
}

// copyNeeds are the needs of who copies an object.
func copyNeeds(source string) ([]access.Need, error) {
	path, version, _ := strings.Cut(source, "?versionId=")
	path, err := url.PathUnescape(path)
	bucket, key, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if err != nil || !isBucketName(bucket) || slices.ContainsFunc(strings.Split(key, "/"), func(s string) bool { return s == "." || s == ".." }) {
		return nil, badArgument("Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	}
	operation := "GetObject"
	if version != "" {
		operation = "GetObjectVersion"
	}
	return access.S3(operation, bucket, key), nil
}

// permitDeletes asks for each object of DeleteObjects.
func (c *call) permitDeletes() ([]byte, error) {
	body, err := c.document()
	if err != nil {
		return nil, err
	}
	var in struct {
		Object []struct {
			Key, VersionId []string
		}
	}
	if err := xml.Unmarshal(body, &in); err != nil || len(in.Object) == 0 || len(in.Object) > 1000 {
		return nil, errMalformed
	}
	for _, o := range in.Object {
		if len(o.Key) != 1 || len(o.VersionId) > 1 {
			return nil, errMalformed
		}
		operation := "DeleteObject"
		if len(o.VersionId) == 1 {
			operation = "DeleteObjectVersion"
		}
		if err := c.may(access.S3(operation, c.bucket, o.Key[0])...); err != nil {
			return nil, err
		}
	}
	return body, nil
}

func notPassed(what string) error {
	return refuse(http.StatusNotImplemented, "NotImplemented", what+" is not supported for credentials of a role: this server does not know what it needs.")
}

// dropped are headers that are made anew, or are of one connection.
var dropped = []string{
	"Authorization", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256", "Content-Length", "Expect", "Host",
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// unsignedBody says that the signature does not cover the body.
const unsignedBody = "UNSIGNED-PAYLOAD"

// forward sends a request, signed anew, and copies the answer. document is its body, if it was read.
func (p *Passage) forward(c *call, document []byte, bucketInHost bool) error {
	hash, stream := c.check.Payload()
	length, err := c.length(stream)
	if err != nil && (c.Method == http.MethodPut || c.Method == http.MethodPost) {
		return err
	}
	var body io.Reader = http.NoBody
	control := http.NewResponseController(c.w)
	switch {
	case document != nil:
		body, length = bytes.NewReader(document), int64(len(document))
		hash = hexOf(algorithms["sha256"](), document)
	case length > 0:
		body = &pacedReader{r: c.Body, control: control, began: time.Now()}
		if stream != "" {
			var signatures *sigv4.Chunks
			if stream != sigv4.StreamUnsignedTrailer {
				signatures = c.check.Chunks()
			}
			body = &heldReader{r: newChunkReader(body, signatures, stream != sigv4.StreamSigned)}
		}
	}
	if hash == "" {
		hash = unsignedBody
	}
	request, err := http.NewRequestWithContext(c.Context(), c.Method, p.to.Endpoint.String(), body)
	if err != nil {
		return err
	}
	request.ContentLength = length
	prefix := strings.TrimSuffix(p.to.Endpoint.Path, "/")
	if bucketInHost {
		prefix += "/" + c.bucket
	}
	request.URL.Path, request.URL.RawPath = prefix+c.URL.Path, prefix+c.URL.EscapedPath()
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Security-Token"} {
		delete(c.query, name)
	}
	request.URL.RawQuery = strings.ReplaceAll(url.Values(c.query).Encode(), "+", "%20")
	for name, values := range c.Header {
		if !slices.Contains(dropped, name) {
			request.Header[name] = values
		}
	}
	if stream != "" {
		unchunk(request.Header)
	}
	request.Header.Set("X-Amz-Content-Sha256", hash)
	answer, err := p.do(request, hash)
	if err != nil {
		var known *Error
		if errors.As(err, &known) { // of the body
			return known
		}
		var address *url.Error
		if errors.As(err, &address) {
			err = address.Err
		}
		return err
	}
	defer answer.Body.Close()
	_ = control.SetReadDeadline(time.Time{})
	for name, values := range answer.Header {
		if !slices.Contains(dropped, name) || name == "Content-Length" {
			c.w.Header()[name] = values
		}
	}
	if c.Method == http.MethodDelete && answer.StatusCode < http.StatusMultipleChoices {
		p.forget(c)
	}
	c.w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(c.w, answer.Body) // the client may be gone, or the service
	return nil
}

// do signs and sends a request to the store.
func (p *Passage) do(request *http.Request, hash string) (*http.Response, error) {
	if p.to.Credentials != nil {
		own, err := p.to.Credentials.Retrieve(request.Context())
		if err != nil {
			return nil, err
		}
		if err := p.signer.SignHTTP(request.Context(), own, request, hash, sigv4.S3, p.to.Region, time.Now()); err != nil {
			return nil, err
		}
	}
	return p.client.Do(request)
}

// unchunk removes what headers say of a body in chunks.
func unchunk(h http.Header) {
	for _, name := range []string{"X-Amz-Decoded-Content-Length", "X-Amz-Trailer", "X-Amz-Sdk-Checksum-Algorithm"} {
		h.Del(name)
	}
	var left []string
	for _, one := range strings.Split(h.Get("Content-Encoding"), ",") {
		if one = strings.TrimSpace(one); one != "" && one != "aws-chunked" {
			left = append(left, one)
		}
	}
	h.Del("Content-Encoding")
	if len(left) > 0 {
		h.Set("Content-Encoding", strings.Join(left, ","))
	}
}

// A heldReader holds the last byte back until it knows that the body is right: a service must not
// take a body whose last chunk is not signed as it should be.
type heldReader struct {
	r    io.Reader
	held []byte
	err  error
}

// Read implements io.Reader.
func (h *heldReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for h.err == nil {
		buffer := make([]byte, max(len(p), 2))
		n, err := h.r.Read(buffer)
		h.held, h.err = append(h.held, buffer[:n]...), err
		if len(h.held) > 1 {
			break
		}
	}
	ready := len(h.held)
	if h.err != io.EOF && ready > 0 {
		ready-- // not known yet, or wrong
	}
	if ready == 0 {
		return 0, h.err
	}
	n := copy(p, h.held[:ready])
	h.held = append(h.held[:0], h.held[n:]...)
	return n, nil
}
