package api

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/hearthfn/hearth/tests/harness"
)

// A writer updates one function over and over.
type writer struct {
	name     string
	sent     atomic.Int64 // the update that has been begun last
	answered atomic.Int64 // and the one that the server has said is done
}

func (w *writer) write(a *harness.API) {
	for {
		n := w.sent.Add(1)
		_, err := a.UpdateFunctionCode(context.Background(), &lambda.UpdateFunctionCodeInput{
			FunctionName: &w.name, ZipFile: harness.NodeZip(a.T, harness.Answers(strconv.FormatInt(n, 10))), Publish: true,
		})
		if err != nil {
			return // the server is gone
		}
		w.answered.Store(n)
	}
}

// check reads what runs: nothing that was answered may be lost, and nothing half done.
func (w *writer) check(a *harness.API) {
	a.T.Helper()
	var newest string
	for p := lambda.NewListVersionsByFunctionPaginator(a, &lambda.ListVersionsByFunctionInput{FunctionName: &w.name}); p.HasMorePages(); {
		page, err := p.NextPage(context.Background())
		a.Check(err)
		newest = *page.Versions[len(page.Versions)-1].Version
	}
	for _, qualifier := range []string{"$LATEST", newest} {
		out := a.Call(w.name+":"+qualifier, "{}")
		text, _ := strings.CutSuffix(string(out.Payload), `"}`)
		n, err := strconv.ParseInt(text[strings.LastIndexByte(text, '"')+1:], 10, 64)
		if err != nil || n < w.answered.Load() || n > w.sent.Load() {
			a.T.Errorf("%s:%s runs %s (%v), update %d was answered and %d sent", w.name, qualifier, out.Payload, err, w.answered.Load(), w.sent.Load())
		}
	}
}

func TestAPIUpdatesAreWholeWheneverTheServerIsKilled(t *testing.T) {
	harness.Slow(t, "it kills many times")
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	writers := make([]*writer, 4)
	for i := range writers {
		writers[i] = &writer{name: fmt.Sprintf("f%d", i)}
		a.Create(writers[i].name, harness.NodeZip(t, harness.Answers("0")), func(in *lambda.CreateFunctionInput) { in.Publish = true })
	}
	for round := range 5 {
		var wg sync.WaitGroup
		for _, w := range writers {
			wg.Go(func() { w.write(a) })
		}
		start := writers[0].answered.Load()
		harness.Eventually(t, "updates are answered", func() bool { return writers[0].answered.Load() > start+int64(3*round) })
		a.Check(a.Cmd.Process.Kill())
		wg.Wait()
		<-a.Exited
		a.Cmd = nil
		a.Restart()
		for _, w := range writers {
			w.check(a)
		}
	}
}

func TestAPIAliasIsMovedUnderLoadWithoutAFailure(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "function /f f:live")
	ctx := context.Background()
	const versions = 10
	a.Create("f", harness.NodeZip(t, "return { statusCode: 200, body: context.functionVersion };"), func(in *lambda.CreateFunctionInput) { in.Publish = true })
	for i := 2; i <= versions; i++ {
		_, err := a.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Description: aws.String(strconv.Itoa(i))})
		a.Check(err)
		_, err = a.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: aws.String("f")})
		a.Check(err)
	}
	_, err := a.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("1")})
	a.Check(err)
	var current, calls atomic.Int64
	current.Store(1)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				oldest := current.Load()
				if got, err := versionBy(a, true); err != nil || got < oldest {
					t.Errorf("the call ran version %d (%v); it began after the move to %d", got, err, oldest)
					return
				}
				calls.Add(1)
			}
		})
	}
	for version := int64(2); version <= versions && !t.Failed(); version++ {
		before := calls.Load()
		_, err := a.UpdateAlias(ctx, &lambda.UpdateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String(strconv.FormatInt(version, 10))})
		if err != nil {
			t.Errorf("move to %d: %v", version, err)
			break
		}
		current.Store(version)
		harness.Eventually(t, "calls go on", func() bool { return calls.Load() >= before+50 || t.Failed() })
	}
	close(done)
	wg.Wait()
}

func TestAPIFunctionGivesWayToTheCaddyfilesAndComesBack(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "function /f f")
	ctx := context.Background()
	a.Create("f", harness.NodeZip(t, harness.Answers("of the API")))
	a.Get("/f").Want(t, 200, "of the API")
	dir := a.Code("f", map[string]string{"index.mjs": "export const handler = async () => ({ statusCode: 200, body: 'of the Caddyfile' });"})
	a.Configure(harness.NodeFunction("f", dir, ""), "function /f f")
	a.Reload()
	a.Get("/f").Want(t, 200, "of the Caddyfile")
	a.WantCall("f", "{}", "of the Caddyfile")
	_, err := a.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: aws.String("f")})
	harness.Refused(t, err, 400, "InvalidParameterValueException", "")
	listed, err := a.ListFunctions(ctx, &lambda.ListFunctionsInput{})
	a.Check(err)
	if len(listed.Functions) != 1 {
		t.Errorf("%d functions are listed", len(listed.Functions))
	}
	a.Configure("", "function /f f")
	a.Reload()
	a.Get("/f").Want(t, 200, "of the API")
	a.WantCall("f", "{}", "of the API")
	_, err = a.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: aws.String("f")})
	a.Check(err)
	a.Get("/f").Want(t, 404, "")
}
