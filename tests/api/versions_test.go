package api

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthfn/hearth/tests/harness"
)

func TestAPIVersionsKeepTheirCodeAndConfiguration(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	ctx := context.Background()
	code := func(text string) []byte {
		return harness.NodeZip(t, "return `"+text+" ${process.env.OWN} ${context.functionVersion} ${process.env.AWS_LAMBDA_FUNCTION_VERSION}`;")
	}
	configure := func(own string) {
		_, err := a.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
			FunctionName: aws.String("f"), Environment: &types.Environment{Variables: map[string]string{"OWN": own}},
		})
		a.Check(err)
	}
	a.Create("f", code("one"))
	configure("a")
	first, err := a.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: aws.String("f"), Description: aws.String("the first")})
	a.Check(err)
	a.Check(lambda.NewPublishedVersionActiveWaiter(a).Wait(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("f"), Qualifier: aws.String("1")}, time.Minute))
	same, err := a.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: aws.String("f")})
	a.Check(err)
	if *first.Version != "1" || *first.Description != "the first" || !strings.HasSuffix(*first.FunctionArn, ":f:1") || *same.Version != "1" {
		t.Errorf("published version %s %q %s, then %s", *first.Version, *first.Description, *first.FunctionArn, *same.Version)
	}
	a.UpdateCode("f", code("two"))
	configure("b")
	second, err := a.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: aws.String("f")})
	a.Check(err)
	if *second.Version != "2" || *second.CodeSha256 == *first.CodeSha256 {
		t.Errorf("the second version is %s of code %s, the first of %s", *second.Version, *second.CodeSha256, *first.CodeSha256)
	}
	configure("c")
	a.WantCall("f", "{}", "two c $LATEST $LATEST")
	a.WantCall("f:1", "{}", "one a 1 1")
	a.WantCall("f:2", "{}", "two b 2 2")

	_, err = a.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("1")})
	a.Check(err)
	a.WantCall("f:live", "{}", "one a 1 1")
	_, err = a.UpdateAlias(ctx, &lambda.UpdateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("2")})
	a.Check(err)
	a.WantCall("f:live", "{}", "two b 2 2")
	_, err = a.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: aws.String("f"), Qualifier: aws.String("2")})
	harness.Refused(t, err, 409, "ResourceConflictException", "")
	_, err = a.DeleteAlias(ctx, &lambda.DeleteAliasInput{FunctionName: aws.String("f"), Name: aws.String("live")})
	a.Check(err)
	_, err = a.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: aws.String("f"), Qualifier: aws.String("2")})
	a.Check(err)
	_, err = a.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("f:2")})
	harness.Refused(t, err, 404, "ResourceNotFoundException", "Function not found: ")
	_, err = a.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("f:live")})
	harness.Refused(t, err, 404, "ResourceNotFoundException", "Function not found: ")
	a.WantCall("f:1", "{}", "one a 1 1")
	a.WantCall("f", "{}", "two c $LATEST $LATEST")
}

func TestAPIAliasSendsItsWeightToTheOtherVersion(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	ctx := context.Background()
	a.Create("f", harness.NodeZip(t, "return context.functionVersion;"), func(in *lambda.CreateFunctionInput) { in.Publish = true })
	_, err := a.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: harness.NodeZip(t, "return context.functionVersion; //"), Publish: true})
	a.Check(err)
	alias, err := a.CreateAlias(ctx, &lambda.CreateAliasInput{
		FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("1"),
		RoutingConfig: &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{"2": 0.3}},
	})
	a.Check(err)
	const calls, weight = 1000, 0.3
	count := make(map[string]int)
	for range calls {
		out, err := a.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("f"), Qualifier: aws.String("live")})
		a.Check(err)
		version := aws.ToString(out.ExecutedVersion)
		if string(out.Payload) != strconv.Quote(version) {
			t.Fatalf("version %s ran, the header says %s", out.Payload, version)
		}
		count[version]++
	}
	sigma := math.Sqrt(calls * weight * (1 - weight))
	if off := math.Abs(float64(count["2"]) - calls*weight); off > 5*sigma || count["1"]+count["2"] != calls {
		t.Errorf("of %d calls %v, want %.0f of version 2, give or take %.0f", calls, count, calls*weight, 5*sigma)
	}
	// Without weights again, with the alias's revision.
	_, err = a.UpdateAlias(ctx, &lambda.UpdateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), RevisionId: alias.RevisionId, RoutingConfig: &types.AliasRoutingConfiguration{}})
	a.Check(err)
	_, err = a.UpdateAlias(ctx, &lambda.UpdateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), RevisionId: alias.RevisionId, FunctionVersion: aws.String("2")})
	harness.Refused(t, err, 412, "PreconditionFailedException", "The Revision Id provided does not match the latest Revision Id.")
	for range 50 {
		a.WantCall("f:live", "{}", `"1"`)
	}
}

func TestAPIOneOfManyUpdatesOfARevisionWins(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	a.Create("f", harness.NodeZip(t, harness.Answers("x")))
	latest := func() *lambda.GetFunctionConfigurationOutput {
		kept, err := a.GetFunctionConfiguration(context.Background(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("f")})
		a.Check(err)
		return kept
	}
	revision := latest().RevisionId
	const writers = 16
	for round := range 5 {
		var wg sync.WaitGroup
		outputs, errs := make([]*lambda.UpdateFunctionConfigurationOutput, writers), make([]error, writers)
		for i := range writers {
			wg.Go(func() {
				outputs[i], errs[i] = a.UpdateFunctionConfiguration(context.Background(), &lambda.UpdateFunctionConfigurationInput{
					FunctionName: aws.String("f"), RevisionId: revision, Description: aws.String(fmt.Sprintf("%d of round %d", i, round)),
				})
			})
		}
		wg.Wait()
		var winner *lambda.UpdateFunctionConfigurationOutput
		for i, err := range errs {
			if err != nil {
				harness.Refused(t, err, 412, "PreconditionFailedException", "The Revision Id provided does not match the latest Revision Id.")
				continue
			}
			if winner != nil {
				t.Errorf("two won: %q and %q", *winner.Description, *outputs[i].Description)
			}
			winner = outputs[i]
		}
		if winner == nil {
			t.Fatal("none won")
		}
		kept := latest()
		if *kept.Description != *winner.Description {
			t.Errorf("%q is kept, %q won", *kept.Description, *winner.Description)
		}
		revision = kept.RevisionId
	}
}

func TestAPIPaginatorsSeeEverythingOnce(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	ctx := context.Background()
	code := harness.NodeZip(t, harness.Answers("x"))
	var want []string
	for i := range 120 {
		name := fmt.Sprintf("f%03d", i)
		_, err := a.CreateFunction(ctx, &lambda.CreateFunctionInput{
			FunctionName: &name, Role: aws.String(harness.APIRole), Runtime: types.RuntimeNodejs20x, Handler: aws.String("index.handler"), Code: &types.FunctionCode{ZipFile: code},
		})
		a.Check(err)
		want = append(want, name)
	}
	for _, limit := range []int32{0, 7, 120} {
		var got []string
		pages := 0
		for p := lambda.NewListFunctionsPaginator(a, &lambda.ListFunctionsInput{}, func(o *lambda.ListFunctionsPaginatorOptions) { o.Limit = limit }); p.HasMorePages(); pages++ {
			page, err := p.NextPage(ctx)
			a.Check(err)
			for _, f := range page.Functions {
				got = append(got, *f.FunctionName)
			}
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%d per page: %d functions: %q", limit, len(got), got)
		}
		if wantPages := map[int32]int{0: 3, 7: 18, 120: 3}[limit]; pages != wantPages {
			t.Errorf("%d per page: %d pages, want %d", limit, pages, wantPages)
		}
	}
	for i := range 12 {
		_, err := a.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f000"), Description: aws.String(strconv.Itoa(i))})
		a.Check(err)
		v, err := a.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: aws.String("f000")})
		a.Check(err)
		_, err = a.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: aws.String("f000"), Name: aws.String("to" + *v.Version), FunctionVersion: v.Version})
		a.Check(err)
	}
	versions, aliases := 0, 0
	for p := lambda.NewListVersionsByFunctionPaginator(a, &lambda.ListVersionsByFunctionInput{FunctionName: aws.String("f000"), MaxItems: aws.Int32(5)}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		a.Check(err)
		versions += len(page.Versions)
	}
	for p := lambda.NewListAliasesPaginator(a, &lambda.ListAliasesInput{FunctionName: aws.String("f000"), MaxItems: aws.Int32(5)}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		a.Check(err)
		aliases += len(page.Aliases)
	}
	if versions != 13 || aliases != 12 {
		t.Errorf("%d versions and %d aliases, want 13 with $LATEST, and 12", versions, aliases)
	}
}

func TestAPICodeIsUpdatedUnderLoadWithoutAFailure(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "function /f f")
	code := func(version int) []byte { return harness.NodeZip(t, harness.Answers(strconv.Itoa(version))) }
	a.Create("f", code(0), func(in *lambda.CreateFunctionInput) { in.Timeout = aws.Int32(60) })
	var current, calls atomic.Int64 // what runs at least, once an update has returned
	done := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				oldest := current.Load()
				got, err := versionBy(a, i%2 == 0)
				if err != nil || got < oldest {
					t.Errorf("the call ran version %d (%v); it began after the update to %d", got, err, oldest)
					return
				}
				calls.Add(1)
			}
		})
	}
	for version := 1; version <= 20 && !t.Failed(); version++ {
		before := calls.Load()
		out, err := a.UpdateFunctionCode(context.Background(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: code(version)})
		if err != nil || out.LastUpdateStatus != types.LastUpdateStatusInProgress {
			t.Errorf("update %d: %v", version, err)
			break
		}
		current.Store(int64(version))
		harness.Eventually(t, "calls go on", func() bool { return calls.Load() >= before+50 || t.Failed() })
	}
	close(done)
	wg.Wait()
	t.Logf("%d calls during 20 updates", calls.Load())
}

// versionBy invokes f by its HTTP route or by the API and reads the number it says.
func versionBy(a *harness.API, route bool) (int64, error) {
	if route {
		got, err := harness.Try(a.Request("GET", "/f", nil))
		if err != nil || got.Status != 200 {
			return -1, fmt.Errorf("status %d %.200s: %w", got.Status, got.Body, err)
		}
		return strconv.ParseInt(got.Body, 10, 64)
	}
	out, err := a.Invoke(context.Background(), &lambda.InvokeInput{FunctionName: aws.String("f")})
	if err != nil {
		return -1, err
	}
	text, _ := strings.CutSuffix(string(out.Payload), `"}`)
	return strconv.ParseInt(text[strings.LastIndexByte(text, '"')+1:], 10, 64)
}
