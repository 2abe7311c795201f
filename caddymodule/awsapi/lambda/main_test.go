package lambda_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	lambdaapi "github.com/hearthfn/hearth/caddymodule/awsapi/lambda"
	logsapi "github.com/hearthfn/hearth/caddymodule/awsapi/logs"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/invoker"
	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/code"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/environment/environmenttest"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/logs"
	"github.com/hearthfn/hearth/warmpool/runtimes"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
)

func TestMain(m *testing.M) {
	environmenttest.Main()
	goleak.VerifyTestMain(m)
}

const (
	keyID, secret       = "AKIAFULL", "0123456789012345678901234567890123456789"
	readerID, readerKey = "AKIAREADER", "9876543210987654321098765432109876543210"
	role                = "arn:aws:iam::000000000000:role/r"
	arnOf               = "arn:aws:lambda:us-east-1:000000000000:function:"
)

// A world is an API over a real registry, code store and pool, behind a server.
type world struct {
	*lambda.Client
	t        testing.TB
	api      *lambdaapi.API
	registry *registry.Registry
	server   *httptest.Server
	pushed   *queue
}

func newWorld(t testing.TB, change ...func(*lambdaapi.Config)) *world {
	t.Helper()
	dir := t.TempDir()
	archives, err := code.OpenStore(filepath.Join(dir, "code"), zap.NewNop())
	check(t, err)
	records, err := boltstore.Open(boltstore.Config{Path: filepath.Join(dir, "state.db")})
	check(t, err)
	functions, err := registry.New(registry.Config{Records: records, CodePath: func(c registry.Code) string {
		digest, err := code.DigestOf(c.SHA256)
		check(t, err)
		return archives.Tree(digest)
	}})
	check(t, err)
	fixed := function.Function{Name: "fixed", Runtime: "nodejs22.x", Handler: "index.handler", Code: dir}
	check(t, fixed.Normalize())
	functions = functions.With([]*function.Function{&fixed})
	logStore, err := logs.Open(logs.Config{Dir: filepath.Join(dir, "logs")}, zap.NewNop())
	check(t, err)
	pool, err := warmpool.New(warmpool.Config{Stems: -1}, &starter{logs: logStore}, zap.NewNop())
	check(t, err)
	catalog := warmpool.NewCatalog(pool, functions)
	verifier, err := sigv4.New(sigv4.Config{
		Keys:   []sigv4.Key{{ID: keyID, Secret: secret}, {ID: readerID, Secret: readerKey, ReadOnly: true}},
		Region: "us-east-1", Services: []string{"lambda", "logs"},
	})
	check(t, err)
	w := &world{t: t, registry: functions, pushed: &queue{}}
	config := lambdaapi.Config{
		Registry: functions, Code: archives, Invoker: catalog, Verifier: verifier, Account: function.DefaultAccount,
		RuntimeVersion: func(runtime string) (string, string) { return runtime, "" },
		Check: func(_ context.Context, f *function.Function) error {
			if f.Runtime == "dotnet8" {
				return errors.New(`runtime "dotnet8" is not supported`)
			}
			return nil
		},
		URL:     func(id string) string { return "https://" + id + ".lambda-url.example.com/" },
		LinkKey: []byte("key"), Concurrency: 1000,
		Mapping:     func(*registry.Mapping) error { return nil },
		Destination: func(string) error { return nil },
		Queue:       w.pushed, Logs: logsapi.New(logStore, nil, logsapi.Subscriptions{}, function.DefaultAccount, zap.NewNop()), Log: zap.NewNop(),
	}
	for _, f := range change {
		f(&config)
	}
	w.api = lambdaapi.New(config)
	w.server = httptest.NewServer(w.api)
	w.Client = w.client(keyID, secret)
	t.Cleanup(func() {
		w.server.Client().CloseIdleConnections()
		w.server.Close()
		catalog.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		pool.Close(ctx)
		functions.Close()
		logStore.Close()
		check(t, records.Close())
	})
	return w
}

// client is AWS's SDK as a user of an access key has it.
func (w *world) client(id, secret string) *lambda.Client {
	return lambda.New(lambda.Options{
		Region: "us-east-1", BaseEndpoint: &w.server.URL, HTTPClient: w.server.Client(), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}, nil
		}),
	})
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A starter makes environments of the runtime that does what its event says.
type starter struct{ logs *logs.Store }

func (s *starter) Start(ctx context.Context, start warmpool.Start) (*environment.Environment, error) {
	f := start.Function
	group, err := s.logs.Group(f.Name)
	if err != nil {
		return nil, err
	}
	return environment.Start(ctx, environment.Spec{
		ID: "e", Init: runtimes.InitPayload{Handler: f.Handler, MemoryMB: f.MemoryMB, Concurrency: 1}, InitTimeout: 10 * time.Second,
		Log: group.Stream(f.Version, "e", time.Now()),
		Start: func(output *os.File, pipes []*os.File) (environment.Process, error) {
			return environmenttest.Start(output, pipes)
		},
		Busy: start.Busy, Ended: start.Ended,
	})
}

func (*starter) StemKind(*function.Function) (warmpool.StemKind, bool) {
	return warmpool.StemKind{}, false
}

func (*starter) Boot(context.Context, warmpool.StemKind, func()) (*warmpool.Stem, error) {
	return nil, errors.New("no stems here")
}

type queue struct{ events []*invoker.Message }

func (q *queue) Push(_ context.Context, events ...*invoker.Message) error {
	q.events = append(q.events, events...)
	return nil
}

// zipped is an archive of one file.
func zipped(t testing.TB, name, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, err := z.Create(name)
	check(t, err)
	_, err = f.Write([]byte(text))
	check(t, err)
	check(t, z.Close())
	return b.Bytes()
}

// create makes a function.
func (w *world) create(name string, change ...func(*lambda.CreateFunctionInput)) *lambda.CreateFunctionOutput {
	w.t.Helper()
	in := &lambda.CreateFunctionInput{
		FunctionName: &name, Role: aws.String(role), Runtime: types.RuntimeNodejs22x, Handler: aws.String("index.handler"),
		Code: &types.FunctionCode{ZipFile: zipped(w.t, "index.js", "// "+name)},
	}
	for _, f := range change {
		f(in)
	}
	out, err := w.CreateFunction(context.Background(), in)
	check(w.t, err)
	return out
}

// refused fails unless err is the exception, with a message that begins so.
func refused(t testing.TB, err error, status int, name, message string) {
	t.Helper()
	var api smithy.APIError
	var response *smithyhttp.ResponseError
	if !errors.As(err, &api) || !errors.As(err, &response) {
		t.Errorf("error %v, want %s", err, name)
		return
	}
	if api.ErrorCode() != name || !strings.HasPrefix(api.ErrorMessage(), message) || response.HTTPStatusCode() != status {
		t.Errorf("refused with %d %s: %q, want %d %s: %q", response.HTTPStatusCode(), api.ErrorCode(), api.ErrorMessage(), status, name, message)
	}
}
