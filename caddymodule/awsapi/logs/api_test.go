package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
	"github.com/hearthfn/hearth/caddymodule/awsapi/logs/insights"
	"github.com/hearthfn/hearth/caddymodule/awsapi/logs/subscription"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/logs"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A world is an API behind HTTP, and what it reads.
type world struct {
	t      *testing.T
	store  *logs.Store
	url    string
	client *cloudwatchlogs.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	store, err := logs.Open(logs.Config{Dir: t.TempDir()}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	queries := insights.New(zap.NewNop())
	records, err := boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "state.db")})
	if err != nil {
		t.Fatal(err)
	}
	filters := &subscription.Node{Config: subscription.Config{Store: subscription.NewStore(document.New(records))}} // it sends nothing
	a := New(store, queries, Subscriptions{Node: filters}, function.DefaultAccount, zap.NewNop())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		a.Serve(w, r, body)
	}))
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
		queries.Close()
		if err := records.Close(); err != nil {
			t.Error(err)
		}
		store.Close()
	})
	client := cloudwatchlogs.New(cloudwatchlogs.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(server.URL), HTTPClient: &http.Client{Transport: transport}, RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
		}),
	})
	return &world{t, store, server.URL, client}
}

func (w *world) stream(function, version, environment string) *logs.Stream {
	w.t.Helper()
	g, err := w.store.Group(function)
	if err != nil {
		w.t.Fatal(err)
	}
	return g.Stream(version, environment, time.Now())
}

func (w *world) cli(args ...string) string {
	w.t.Helper()
	cmd := exec.Command("aws", append([]string{"--endpoint-url", w.url, "--region", "us-east-1", "--output", "text"}, args...)...)
	cmd.Env = append(cmd.Environ(), "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b")
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("aws %q: %v\n%s", args, err, out)
	}
	return string(out)
}

func wantCode(t *testing.T, err error, code, text string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), text) {
		t.Errorf("got %v, want %s with %q", err, code, text)
	}
}

// disableHostPrefix keeps the SDK from asking for stream-127.0.0.1, as whoever
// points it at a host of their own has to.
func disableHostPrefix(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("DisableHostPrefix",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			return next.HandleInitialize(smithyhttp.DisableEndpointHostPrefix(ctx, true), in)
		}), middleware.Before)
}

var thumb = aws.String("/aws/lambda/thumb")

func TestLogsAreReadWithTheRealClients(t *testing.T) {
	w := newWorld(t)
	st := w.stream("thumb", "$LATEST", "e1")
	st.Start(time.Now(), "r1", "$LATEST")
	st.Line(time.Now(), "r1", []byte("ERROR no such thumb"))
	st.Line(time.Now(), "r1", []byte(`{"level":"error","code":500}`))
	w.stream("other", "$LATEST", "e2").Line(time.Now(), "", []byte("other"))

	// The calls that `aws logs tail` of version 2 makes; version 1 has no such command.
	if out := w.cli("logs", "filter-log-events", "--log-group-name", *thumb, "--start-time", fmt.Sprint(time.Now().Add(-time.Hour).UnixMilli()), "--interleaved"); !strings.Contains(out, "START RequestId: r1") || !strings.Contains(out, "ERROR no such thumb") {
		t.Errorf("aws logs filter-log-events: %s", out)
	}
	if out := w.cli("logs", "filter-log-events", "--log-group-name", *thumb, "--filter-pattern", "{ $.code >= 500 }"); strings.Contains(out, "ERROR no") || !strings.Contains(out, `"code":500`) {
		t.Errorf("aws logs filter-log-events with a filter: %s", out)
	}
	if out := w.cli("logs", "describe-log-groups", "--query", "logGroups[].logGroupName"); strings.Fields(out)[0] != "/aws/lambda/other" || strings.Fields(out)[1] != *thumb {
		t.Errorf("aws logs describe-log-groups: %s", out)
	}
	if out := w.cli("logs", "describe-log-streams", "--log-group-name", *thumb, "--order-by", "LastEventTime", "--descending", "--query", "logStreams[].logStreamName"); strings.TrimSpace(out) != st.Name() {
		t.Errorf("aws logs describe-log-streams: %s", out)
	}
	if out := w.cli("logs", "get-log-events", "--log-group-name", *thumb, "--log-stream-name", st.Name(), "--query", "events[].message"); !strings.Contains(out, "START RequestId: r1 Version: $LATEST") {
		t.Errorf("aws logs get-log-events: %s", out)
	}
	w.cli("logs", "put-retention-policy", "--log-group-name", *thumb, "--retention-in-days", "7")
	if out := w.cli("logs", "describe-log-groups", "--log-group-name-prefix", *thumb, "--query", "logGroups[0].retentionInDays"); strings.TrimSpace(out) != "7" {
		t.Errorf("the retention is %s", out)
	}
	w.cli("logs", "delete-retention-policy", "--log-group-name", *thumb)
	w.cli("logs", "delete-log-group", "--log-group-name", *thumb)
	_, err := w.client.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: thumb})
	wantCode(t, err, "ResourceNotFoundException", "The specified log group does not exist.")
}

// DescribeLogGroups gives an ARN that ends in ":*"; clients cut the star, or both, or nothing.
func TestALogGroupIsFoundByEachFormOfItsARN(t *testing.T) {
	w := newWorld(t)
	w.stream("thumb", "$LATEST", "e1").Line(time.Now(), "", []byte("here"))
	arn := "arn:aws:logs:us-east-1:000000000000:log-group:" + *thumb
	for _, identifier := range []string{*thumb, arn, arn + ":", arn + ":*"} {
		found, err := w.client.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupIdentifier: &identifier})
		if err != nil || len(found.Events) != 1 {
			t.Errorf("%s: %v, %v", identifier, found, err)
		}
		groups, err := w.client.DescribeLogGroups(t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{LogGroupIdentifiers: []string{identifier}, IncludeLinkedAccounts: aws.Bool(true)})
		if err != nil || len(groups.LogGroups) != 1 || *groups.LogGroups[0].LogGroupName != *thumb {
			t.Errorf("%s: %v, %v", identifier, groups, err)
		}
	}
	for _, identifier := range []string{"arn:aws:logs:us-east-1:111111111111:log-group:" + *thumb, arn + "::", "arn:aws:logs:us-east-1:000000000000:log-group:"} {
		_, err := w.client.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupIdentifier: &identifier})
		wantCode(t, err, "ResourceNotFoundException", "does not exist")
	}
}

func TestPagesHaveEveryEventOnce(t *testing.T) {
	w := newWorld(t)
	st := w.stream("thumb", "$LATEST", "e1")
	other := w.stream("thumb", "$LATEST", "e2")
	for i := range 25 {
		st.Line(time.Now(), "", fmt.Appendf(nil, "event %02d", i))
		other.Line(time.Now(), "", []byte("not this"))
	}
	ctx := t.Context()
	collect := func(events []types.OutputLogEvent) (s string) {
		for _, e := range events {
			s += strings.TrimPrefix(*e.Message, "event ")
		}
		return s
	}
	// Forward from the head, to the token that repeats.
	in := &cloudwatchlogs.GetLogEventsInput{LogGroupName: thumb, LogStreamName: aws.String(st.Name()), Limit: aws.Int32(10), StartFromHead: aws.Bool(true)}
	var all string
	for pages := 0; ; pages++ {
		out, err := w.client.GetLogEvents(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		all += collect(out.Events)
		if in.NextToken != nil && *out.NextForwardToken == *in.NextToken {
			if pages != 3 {
				t.Errorf("%d pages of 25 events by 10, and the one that is empty", pages)
			}
			break
		}
		in.NextToken = out.NextForwardToken
	}
	if fields := strings.Fields(all); len(fields) != 25 || !slices.IsSorted(fields) {
		t.Errorf("forward: %q", fields)
	}
	// Backward from the end.
	in = &cloudwatchlogs.GetLogEventsInput{LogGroupName: thumb, LogStreamName: aws.String(st.Name()), Limit: aws.Int32(10)}
	out, err := w.client.GetLogEvents(ctx, in)
	if err != nil || collect(out.Events) != "15\n16\n17\n18\n19\n20\n21\n22\n23\n24\n" {
		t.Fatalf("the last ten: %v", err)
	}
	in.NextToken = out.NextBackwardToken
	if out, err = w.client.GetLogEvents(ctx, in); err != nil || collect(out.Events)[:3] != "05\n" {
		t.Errorf("the ten before: %v", err)
	}
	// A forward token sees what comes later.
	in.NextToken = aws.String(*out.NextForwardToken)
	in.Limit = nil
	st.Line(time.Now(), "", []byte("event 25"))
	if out, err = w.client.GetLogEvents(ctx, in); err != nil || !strings.HasSuffix(collect(out.Events), "24\n25\n") {
		t.Errorf("after a token: %v", err)
	}
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(w.client, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: thumb, FilterPattern: aws.String("event"), Limit: aws.Int32(7)})
	ids := make(map[string]bool)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			ids[*e.EventId] = true
		}
	}
	if len(ids) != 26 {
		t.Errorf("%d different events filtered, want 26", len(ids))
	}
}

func TestStreamsArePagedInBothOrders(t *testing.T) {
	w := newWorld(t)
	began := time.Now().Add(-time.Minute)
	for i, name := range []string{"c", "a", "e", "b", "d"} {
		w.stream("thumb", "$LATEST", name).Line(began.Add(time.Duration(i)*time.Second), "", []byte("x"))
	}
	for want, in := range map[string]cloudwatchlogs.DescribeLogStreamsInput{
		"abcde": {}, "edcba": {Descending: aws.Bool(true)},
		"caebd": {OrderBy: types.OrderByLastEventTime}, "dbeac": {OrderBy: types.OrderByLastEventTime, Descending: aws.Bool(true)},
	} {
		in.LogGroupName, in.Limit = thumb, aws.Int32(2)
		got := ""
		for pages := cloudwatchlogs.NewDescribeLogStreamsPaginator(w.client, &in); pages.HasMorePages(); {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range page.LogStreams {
				got += (*s.LogStreamName)[len(*s.LogStreamName)-1:]
			}
		}
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestWhatIsWrongIsRefusedAsByAWS(t *testing.T) {
	w := newWorld(t)
	st := w.stream("thumb", "$LATEST", "e1")
	st.Line(time.Now(), "", []byte("x"))
	ctx := t.Context()
	for _, test := range []struct {
		call       func() error
		code, text string
	}{
		{func() error {
			_, err := w.client.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("/aws/lambda/none")})
			return err
		}, "ResourceNotFoundException", "The specified log group does not exist."},
		{func() error {
			_, err := w.client.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: thumb, FilterPattern: aws.String("{ $.a")})
			return err
		}, "InvalidParameterException", "closing brace"},
		{func() error {
			_, err := w.client.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: thumb, NextToken: aws.String("x")})
			return err
		}, "InvalidParameterException", "The specified nextToken is invalid."},
		{func() error {
			_, err := w.client.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: thumb, Limit: aws.Int32(10001)})
			return err
		}, "InvalidParameterException", "Member must have value less than or equal to 10000"},
		{func() error {
			_, err := w.client.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: thumb, LogStreamName: aws.String("none")})
			return err
		}, "ResourceNotFoundException", "The specified log stream does not exist."},
		{func() error {
			_, err := w.client.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: thumb, RetentionInDays: aws.Int32(2)})
			return err
		}, "InvalidParameterException", "enum value set"},
		{func() error {
			_, err := w.client.CreateExportTask(ctx, &cloudwatchlogs.CreateExportTaskInput{Destination: aws.String("b"), From: aws.Int64(0), To: aws.Int64(1), LogGroupName: thumb})
			return err
		}, "UnknownOperationException", "CreateExportTask is not supported"},
	} {
		wantCode(t, test.call(), test.code, test.text)
	}
	if groups := w.store.Groups(); len(groups) != 1 {
		t.Errorf("asking for groups has made some: there are %d", len(groups))
	}
	for _, body := range []string{"no JSON", `{"limit":"ten"}`, `[]`} {
		r, err := http.NewRequest("POST", w.url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", TargetPrefix+"DescribeLogGroups")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 400 || !strings.Contains(string(answer), "SerializationException") {
			t.Errorf("%s: %d %s %v", body, resp.StatusCode, answer, err)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestLiveTailShowsWhatIsLoggedFromThen(t *testing.T) {
	w := newWorld(t)
	st := w.stream("thumb", "$LATEST", "e1")
	st.Line(time.Now().Add(-5*time.Millisecond), "", []byte("ERROR before")) // not in the session's first millisecond
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	begin := func() *cloudwatchlogs.StartLiveTailEventStream {
		out, err := w.client.StartLiveTail(ctx, &cloudwatchlogs.StartLiveTailInput{
			LogGroupIdentifiers:   []string{"arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/thumb"},
			LogEventFilterPattern: aws.String("ERROR"),
		}, func(o *cloudwatchlogs.Options) {
			o.APIOptions = append(o.APIOptions, disableHostPrefix)
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { out.GetStream().Close() })
		return out.GetStream()
	}
	stream := begin()
	again := 0 // the client closes its own connection at times, as soon as it has the stream
	var got []string
	for len(got) < 2 {
		select {
		case event, open := <-stream.Events():
			if !open && again < 20 && strings.Contains(fmt.Sprint(stream.Err()), net.ErrClosed.Error()) {
				again++
				stream = begin()
				continue
			}
			if !open {
				t.Fatalf("the stream ended after %q: %v", got, stream.Err())
			}
			switch e := event.(type) {
			case *types.StartLiveTailResponseStreamMemberSessionStart:
				now := time.Now().Add(2 * time.Millisecond) // events of the session's first millisecond are its own
				st.Line(now, "", fmt.Appendf(nil, "ERROR one %d", again))
				st.Line(now, "", fmt.Appendf(nil, "INFO %d", again))
				st.Line(now, "", fmt.Appendf(nil, "ERROR two %d", again))
			case *types.StartLiveTailResponseStreamMemberSessionUpdate:
				for _, r := range e.Value.SessionResults {
					// A session that begins again at once may see the lines of the one before.
					if text := strings.TrimSpace(*r.Message); text == "ERROR before" || strings.HasSuffix(text, fmt.Sprint(again)) {
						got = append(got, text)
					}
				}
			}
		case <-ctx.Done():
			t.Fatalf("only %q within a minute", got)
		}
	}
	if fmt.Sprint(got) != fmt.Sprintf("[ERROR one %d ERROR two %[1]d]", again) {
		t.Errorf("got %q", got)
	}
	_, err := w.client.StartLiveTail(ctx, &cloudwatchlogs.StartLiveTailInput{LogGroupIdentifiers: []string{"/aws/lambda/none"}},
		func(o *cloudwatchlogs.Options) { o.APIOptions = append(o.APIOptions, disableHostPrefix) })
	wantCode(t, err, "ResourceNotFoundException", "log group")
}
