package api

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/hearthfn/hearth/tests/harness"
)

// Calls by a route and by the API beside an update of the code each thirtieth of a second.
func TestCallsBesideAStormOfUpdatesAllSucceed(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "function /f f\n")
	var archives [][]byte
	for n := range 8 {
		archives = append(archives, harness.NodeZip(t, harness.Answers(fmt.Sprint("code ", n))))
	}
	a.Create("f", archives[0])
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
	defer stop()
	var all sync.WaitGroup
	var mu sync.Mutex
	calls, failed := 0, 0
	done := func(what string, bad bool) {
		mu.Lock()
		defer mu.Unlock()
		if calls++; bad {
			if failed++; failed < 5 {
				t.Errorf("beside updates: %s", what)
			}
		}
	}
	for range 2 {
		all.Go(func() {
			for ctx.Err() == nil {
				got := a.Get("/f")
				done(fmt.Sprintf("%d %.300s", got.Status, got.Body), got.Status != 200)
			}
		})
		all.Go(func() {
			for ctx.Err() == nil {
				out, err := a.Invoke(context.Background(), &lambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte("{}")})
				done(fmt.Sprint(out, err), err != nil || out.FunctionError != nil)
			}
		})
	}
	updates := 0
	ticks := time.NewTicker(time.Second / 30)
	defer ticks.Stop()
	for ctx.Err() == nil {
		<-ticks.C
		updates++
		_, err := a.UpdateFunctionCode(context.Background(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: archives[updates%len(archives)]})
		a.Check(err)
	}
	all.Wait()
	t.Logf("%d calls and %d updates: %d failed", calls, updates, failed)
}
