package passage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi/access"
	"github.com/hearthfn/hearth/caddymodule/awsapi/policy"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/warmpool/flood"
	"github.com/hearthfn/hearth/warmpool/function"
)

const (
	ours, ourSecret     = "AKIAOURS", "our-secret-0123456"
	theirs, theirSecret = "AKIATHEIRS", "their-secret-01234"
)

type grants map[string]*access.Grant

func (g grants) Grant(_ context.Context, name string) (*access.Grant, error) { return g[name], nil }

type keys struct{ id, secret string }

func (k keys) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: k.id, SecretAccessKey: k.secret}, nil
}

func verifier(t *testing.T, id, secret string, e *sigv4.Environments) *sigv4.Verifier {
	t.Helper()
	v, err := sigv4.New(sigv4.Config{Keys: []sigv4.Key{{ID: id, Secret: secret}}, Region: "us-east-1", Services: []string{"sqs", "sns", "dynamodb", "kinesis"}, Environments: e})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// A service is what calls are passed on to. It checks signatures, and answers with what it got.
type service struct {
	*httptest.Server
	t      *testing.T
	got    string
	answer string
}

func newService(t *testing.T) *service {
	s := &service{t: t}
	check := verifier(t, theirs, theirSecret, nil)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		name := strings.Split(r.Header.Get("Authorization"), "/")[3]
		begun, err := check.Begin(r, name)
		if err == nil {
			_, err = begun.Finish(body)
		}
		if err != nil || r.Header.Get("X-Amz-Security-Token") != "" {
			t.Errorf("the service refuses the signature: %v %v", err, r.Header)
		}
		s.got = r.URL.Path + " " + r.Header.Get("X-Amz-Target") + " " + string(body)
		_, _ = io.WriteString(w, s.answer)
	}))
	t.Cleanup(s.Close)
	return s
}

func newPassage(t *testing.T, s *service) (*Passage, *sigv4.Session) {
	t.Helper()
	at, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	d, err := policy.Parse(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["dynamodb:PutItem","sqs:SendMessage","sns:Publish"],"Resource":["arn:aws:dynamodb:*:*:table/mine","arn:aws:sqs:*:000000000000:mine","arn:aws:sns:*:*:mine"]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	e := sigv4.NewEnvironments("node")
	backends := make(map[string]*Backend)
	for _, name := range []string{"sqs", "sns", "dynamodb", "kinesis"} {
		backends[name] = &Backend{at, "us-east-1", keys{theirs, theirSecret}}
	}
	refusals := new(flood.Gate)
	t.Cleanup(refusals.Close)
	p := New(Config{
		Backends: backends, Verifier: verifier(t, ours, ourSecret, e), Account: function.DefaultAccount, Refusals: refusals, Log: zap.NewNop(),
		Access: &access.Authority{Account: function.DefaultAccount, Roles: grants{"r": {Name: "r", ID: "AROA", ARN: "arn:r", Policies: []*policy.Document{d}}}},
	})
	t.Cleanup(p.client.CloseIdleConnections)
	return p, e.Begin("e", &sigv4.Role{Name: "r", ID: "AROA", Session: "f"})
}

// send signs a call by our key, or a role's, and sends it.
func send(t *testing.T, p *Passage, role *sigv4.Session, name, path, target, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("POST", "http://hearth.example"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	if target == "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else {
		r.Header.Set("X-Amz-Target", target)
	}
	if strings.HasPrefix(body, "\xa1") {
		r.Header.Set("Content-Type", "application/x-amz-cbor-1.1")
	}
	own := aws.Credentials{AccessKeyID: ours, SecretAccessKey: ourSecret}
	if role != nil {
		own = aws.Credentials{AccessKeyID: role.Key.ID, SecretAccessKey: role.Key.Secret, SessionToken: role.Token}
	}
	sum := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(t.Context(), own, r, hex.EncodeToString(sum[:]), name, "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if !p.Serve(w, r) {
		t.Fatal("the call is not passed on")
	}
	return w
}

func TestCallsArePassedOnAsTheyWereEvaluated(t *testing.T) {
	s := newService(t)
	p, role := newPassage(t, s)
	const table = "DynamoDB_20120810."
	for name, test := range map[string]struct {
		role                        bool
		service, path, target, body string
		status                      int
		wants                       string // what the service gets, or the refusal
	}{
		"an access key":             {false, "dynamodb", "/", table + "GetItem", `{"TableName":"x","Key":{"n":{"N":"1.50"}},"big":12345678901234567890}`, 200, "/ " + table + `GetItem {"Key":{"n":{"N":"1.50"}},"TableName":"x","big":12345678901234567890}`},
		"a role":                    {true, "dynamodb", "/", table + "PutItem", `{"TableName":"mine","Item":{"a":{"S":"<&>"}}}`, 200, `{"Item":{"a":{"S":"<&>"}},"TableName":"mine"}`},
		"another table":             {true, "dynamodb", "/", table + "PutItem", `{"TableName":"other"}`, 403, "dynamodb:PutItem on resource: arn:aws:dynamodb:us-east-1:000000000000:table/other because no identity-based policy allows"},
		"a table twice":             {true, "dynamodb", "/", table + "PutItem", `{"TableName":"other","TableName":"mine"}`, 200, `PutItem {"TableName":"mine"}`},
		"twice the other way":       {true, "dynamodb", "/", table + "PutItem", `{"TableName":"mine","TableName":"other"}`, 403, "table/other"},
		"another action":            {true, "dynamodb", "/", table + "GetItem", `{"TableName":"mine"}`, 403, "dynamodb:GetItem"},
		"in a transaction":          {true, "dynamodb", "/", table + "TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"mine"}},{"Delete":{"TableName":"mine"}}]}`, 403, "dynamodb:DeleteItem"},
		"a statement":               {true, "dynamodb", "/", table + "ExecuteStatement", `{"Statement":"SELECT * FROM mine"}`, 403, "dynamodb:PartiQLSelect"},
		"a queue":                   {true, "sqs", "/", "AmazonSQS.SendMessage", `{"QueueUrl":"http://hearth.example/000000000000/mine","MessageBody":"hi"}`, 200, `"QueueUrl":"` + s.URL + `/000000000000/mine"`},
		"another queue":             {true, "sqs", "/", "AmazonSQS.SendMessage", `{"QueueUrl":"http://hearth.example/000000000000/other","MessageBody":"hi"}`, 403, "sqs:SendMessage on resource: arn:aws:sqs:us-east-1:000000000000:other"},
		"a queue by its path":       {true, "sqs", "/000000000000/other", "", "Action=SendMessage&MessageBody=hi", 403, ":other because"},
		"a name behind a query":     {true, "sqs", "/", "AmazonSQS.SendMessage", `{"QueueUrl":"http://h/000000000000/other%3Fx/mine","MessageBody":"hi"}`, 400, "no address of a queue"},
		"a name above":              {true, "sqs", "/", "AmazonSQS.SendMessage", `{"QueueUrl":"http://h/000000000000/x/%2e%2e/mine","MessageBody":"hi"}`, 400, "no address of a queue"},
		"a statement with a table":  {true, "dynamodb", "/", table + "ExecuteStatement", `{"Statement":"DELETE FROM other","TableName":"mine"}`, 403, "dynamodb:PartiQLSelect"},
		"two queues":                {true, "sqs", "/000000000000/other", "", "Action=SendMessage&QueueUrl=http%3A%2F%2Fh%2F000000000000%2Fmine", 400, "another queue"},
		"a topic twice":             {true, "sns", "/", "", "Action=Publish&TopicArn=arn:aws:sns:us-east-1:000000000000:mine&TopicArn=arn:aws:sns:us-east-1:000000000000:other", 400, "TopicArn is there twice"},
		"a topic":                   {true, "sns", "/", "", "Action=Publish&TopicArn=arn:aws:sns:us-east-1:000000000000:mine&Message=a+b", 200, "Action=Publish&Message=a+b&TopicArn=arn"},
		"another service's target":  {true, "sqs", "/", table + "PutItem", `{"TableName":"other"}`, 400, "no operation of sqs"},
		"CBOR of a role":            {true, "kinesis", "/", "Kinesis_20131202.PutRecord", "\xa1", 400, "CBOR"},
		"CBOR":                      {false, "kinesis", "/", "Kinesis_20131202.PutRecord", "\xa1", 200, "Kinesis_20131202.PutRecord \xa1"},
		"no object":                 {false, "dynamodb", "/", table + "PutItem", `[1]`, 400, "no JSON object"},
		"more than one":             {false, "dynamodb", "/", table + "PutItem", `{}{}`, 400, "no JSON object"},
		"a path":                    {false, "dynamodb", "/x", table + "PutItem", `{}`, 400, "have the path /"},
		"no action":                 {false, "sns", "/", "", `a=b`, 400, "MissingAction"},
		"no target":                 {false, "kinesis", "/", "", `{}`, 400, "no X-Amz-Target"},
		"what is not answered once": {false, "kinesis", "/", "Kinesis_20131202.SubscribeToShard", `{}`, 400, "SubscribeToShard is not supported"},
	} {
		t.Run(name, func(t *testing.T) {
			s.got = ""
			by := role
			if !test.role {
				by = nil
			}
			w := send(t, p, by, test.service, test.path, test.target, test.body)
			got := s.got
			if test.status != 200 {
				got = w.Body.String()
				if s.got != "" {
					t.Errorf("the service got %s", s.got)
				}
			}
			if w.Code != test.status || !strings.Contains(got, test.wants) {
				t.Errorf("%d %s, want %d %s", w.Code, got, test.status, test.wants)
			}
		})
	}
}

func TestAddressesOfQueuesLeadHere(t *testing.T) {
	s := newService(t)
	p, _ := newPassage(t, s)
	for _, test := range [][4]string{
		{"AmazonSQS.GetQueueUrl", `{"QueueName":"q"}`, `{"QueueUrl":"http://localhost:9324/000000000000/q"}`, `{"QueueUrl":"http://hearth.example/000000000000/q"}`},
		{"AmazonSQS.ListQueues", `{}`, `{"QueueUrls":["http://x/0/a","http://x/0/b"]}`, `{"QueueUrls":["http://hearth.example/0/a","http://hearth.example/0/b"]}`},
		{"", "Action=CreateQueue&QueueName=q", `<R><QueueUrl>http://x:1/0/q</QueueUrl></R>`, `<R><QueueUrl>http://hearth.example/0/q</QueueUrl></R>`},
		{"AmazonSQS.ReceiveMessage", `{"QueueUrl":"http://hearth.example/0/q"}`, `{"Messages":[{"Body":"QueueUrl http://x"}]}`, `{"Messages":[{"Body":"QueueUrl http://x"}]}`},
	} {
		s.answer = test[2]
		if got := send(t, p, nil, "sqs", "/", test[0], test[1]).Body.String(); got != test[3] {
			t.Errorf("%s: %s", test[0], got)
		}
	}
	s.Close()
	if w := send(t, p, nil, "sqs", "/", "AmazonSQS.ListQueues", `{}`); w.Code != 503 || strings.Contains(w.Body.String(), "127.0.0.1") {
		t.Errorf("a service that is away: %d %s", w.Code, w.Body)
	}
}

func FuzzCall(f *testing.F) {
	f.Add("sqs", "AmazonSQS.SendMessage", "/0/q", `{"QueueUrl":"http://h/0/q"}`)
	f.Add("sns", "", "/", "Action=Publish&TopicArn=a")
	f.Fuzz(func(t *testing.T, service, target, path, body string) {
		r := httptest.NewRequest("POST", "http://h/", strings.NewReader(body))
		r.URL.Path = path
		if target != "" {
			r.Header.Set("X-Amz-Target", target)
		}
		c, err := readCall(r, service, []byte(body))
		if err != nil {
			if exceptionOf(err) == nil {
				t.Errorf("%v is no refusal", err)
			}
			return
		}
		c.encode(&url.URL{Scheme: "http", Host: "s"})
	})
}
