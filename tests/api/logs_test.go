package api

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"github.com/hearthfn/hearth/tests/harness"

	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func TestAPILogsAreReadByStreamByPatternAndByPage(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	ctx := context.Background()
	a.Create("f", harness.NodeZip(t, "for (let i = 0; i < 30; i++) console.log(JSON.stringify({ level: i % 2 ? 'warn' : 'info', i })); console.log('ERROR plain text');"))
	begun := time.Now().UnixMilli()
	a.Call("f", "{}")
	group := aws.String("/aws/lambda/f")
	filter := func(pattern string) (messages []string) {
		t.Helper()
		p := cloudwatchlogs.NewFilterLogEventsPaginator(a.LogGroups, &cloudwatchlogs.FilterLogEventsInput{
			LogGroupName: group, FilterPattern: &pattern, StartTime: aws.Int64(begun - 1000), Limit: aws.Int32(7),
		})
		for p.HasMorePages() {
			page, err := p.NextPage(ctx)
			a.Check(err)
			for _, e := range page.Events {
				messages = append(messages, *e.Message)
			}
		}
		return messages
	}
	harness.Eventually(t, "the last line is in the log", func() bool { return len(filter("REPORT")) == 1 })
	for pattern, want := range map[string]int{
		"": 34, "ERROR": 1, `"plain text"`: 1, "ERROR -plain": 0, "?ERROR ?REPORT": 2, "%pl[aeiou]in%": 1,
	} {
		if got := filter(pattern); len(got) != want && pattern != "" || pattern == "" && len(got) < want {
			t.Errorf("%q finds %d lines, want %d: %q", pattern, len(got), want, got)
		}
	}
	streams, err := a.LogGroups.DescribeLogStreams(ctx, &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: group})
	a.Check(err)
	if len(streams.LogStreams) != 1 || !strings.Contains(*streams.LogStreams[0].LogStreamName, "[$LATEST]") {
		t.Fatalf("streams %+v", streams.LogStreams)
	}
	var read []string
	for p := cloudwatchlogs.NewGetLogEventsPaginator(a.LogGroups, &cloudwatchlogs.GetLogEventsInput{
		LogGroupName: group, LogStreamName: streams.LogStreams[0].LogStreamName, StartFromHead: aws.Bool(true), Limit: aws.Int32(10),
	}, func(o *cloudwatchlogs.GetLogEventsPaginatorOptions) { o.StopOnDuplicateToken = true }); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		a.Check(err)
		for _, e := range page.Events {
			read = append(read, *e.Message)
		}
	}
	if all := filter(""); strings.Join(read, "") != strings.Join(all, "") {
		t.Errorf("by pages of the stream %d lines, by filter %d", len(read), len(all))
	}

	// As Grafana asks: it cuts the * from the ARN that DescribeLogGroups gives. The queries are AWS's samples.
	groups, err := a.LogGroups.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: group, IncludeLinkedAccounts: aws.Bool(true)})
	a.Check(err)
	arn := strings.TrimSuffix(*groups.LogGroups[0].Arn, "*")
	for query, want := range map[string]string{
		`filter @type = "REPORT" | stats max(@memorySize / 1000 / 1000) as provisioned, 100 as less, provisioned - less as over | display over`: "over=28",
		`filter ispresent(i) | fields i | sort by i desc | limit 2`:                                                                             "i=29 i=28",
		`stats percentile(i, 100) as most`: "most=29",
	} {
		started, err := a.LogGroups.StartQuery(ctx, &cloudwatchlogs.StartQueryInput{
			LogGroupIdentifiers: []string{arn}, QueryString: &query, StartTime: aws.Int64(begun/1000 - 1), EndTime: aws.Int64(time.Now().Unix() + 1),
		})
		a.Check(err)
		var got []string
		harness.Eventually(t, "the query is complete", func() bool {
			out, err := a.LogGroups.GetQueryResults(ctx, &cloudwatchlogs.GetQueryResultsInput{QueryId: started.QueryId})
			a.Check(err)
			got = nil
			for _, row := range out.Results {
				for _, f := range row {
					if *f.Field != "@ptr" {
						got = append(got, *f.Field+"="+*f.Value)
					}
				}
			}
			return out.Status == logtypes.QueryStatusComplete
		})
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %s", query, got, want)
		}
	}
}

func TestAPILogsAreTailedAsTheyAreWritten(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	a := &harness.API{Server: s}
	a.Configure("", "")
	// AWS's SDKs put "stream-" in front of the host for this operation.
	text, err := os.ReadFile(s.Config)
	a.Check(err)
	site := fmt.Sprintf("http://127.0.0.1:%d", s.Port)
	a.Check(os.WriteFile(s.Config, []byte(strings.Replace(string(text), site, site+", "+strings.Replace(site, "//", "//stream-", 1), 1)), 0o600))
	a.Start()
	a.Connect()
	a.Create("f", harness.NodeZip(t, "console.log('said', event.word);"))
	a.Call("f", `{"word":"before"}`)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	// That name leads nowhere here.
	dial := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(address, "stream-"))
	}}
	defer dial.CloseIdleConnections()
	listen := func() (heard string, err error) {
		out, err := a.LogGroups.StartLiveTail(ctx, &cloudwatchlogs.StartLiveTailInput{
			LogGroupIdentifiers:   []string{"arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f"},
			LogEventFilterPattern: aws.String("said"),
		}, func(o *cloudwatchlogs.Options) { o.HTTPClient = &http.Client{Transport: dial} })
		a.Check(err)
		defer out.GetStream().Close()
		for e := range out.GetStream().Events() {
			switch e := e.(type) {
			case *logtypes.StartLiveTailResponseStreamMemberSessionStart:
				a.Call("f", `{"word":"after"}`)
			case *logtypes.StartLiveTailResponseStreamMemberSessionUpdate:
				for _, line := range e.Value.SessionResults {
					heard += *line.Message + "\n"
				}
			}
			if strings.Contains(heard, "said after") {
				break
			}
		}
		return heard, out.GetStream().Err()
	}
	got, err := listen()
	for range 3 { // the client closes its own connection at times, as soon as it has the stream
		if got != "" || err == nil || !strings.Contains(err.Error(), net.ErrClosed.Error()) {
			break
		}
		got, err = listen()
	}
	if !strings.Contains(got, "said after") || strings.Contains(got, "REPORT") || strings.Contains(got, "before") {
		t.Errorf("heard %q (%v)", got, err)
	}
}

func TestAPIIsServedOverHTTPSAndHTTP2(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	a := &harness.API{Server: s}
	a.Check(os.WriteFile(s.Config, fmt.Appendf(nil, `{
	admin unix/%[1]s/admin.sock
	auto_https disable_redirects
	skip_install_trust
	hearth {
		data_dir %[1]s/data
	}
}
https://localhost:%[2]d {
	tls internal
	lambda_api
}
`, s.Dir, s.Port), 0o600))
	a.Start()
	a.Connect()
	secure := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // of its own authority
	defer secure.CloseIdleConnections()
	harness.Eventually(t, "the server has its certificate", func() bool {
		c, err := tls.Dial("tcp", fmt.Sprintf("localhost:%d", a.Port), secure.TLSClientConfig)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	protocol := ""
	a.Client = lambda.New(lambda.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(fmt.Sprintf("https://localhost:%d", a.Port)), RetryMaxAttempts: 1,
		Credentials: harness.Keys(a.Credentials.AccessKeyID, a.Credentials.SecretAccessKey),
		HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			res, err := secure.RoundTrip(r)
			if err == nil {
				protocol = res.Proto
			}
			return res, err
		})},
	})
	code := harness.NodeZip(t, "return event;")
	a.Create("f", code)
	payload := `"` + strings.Repeat("x", 5<<20) + `"`
	if got := a.Call("f", payload); string(got.Payload) != payload {
		t.Errorf("%d bytes of %d came back", len(got.Payload), len(payload))
	}
	out, err := a.InvokeWithResponseStream(context.Background(), &lambda.InvokeWithResponseStreamInput{FunctionName: aws.String("f"), Payload: []byte("[1]")})
	a.Check(err)
	defer out.GetStream().Close()
	got := ""
	for e := range out.GetStream().Events() {
		if chunk, ok := e.(*types.InvokeWithResponseStreamResponseEventMemberPayloadChunk); ok {
			got += string(chunk.Value.Payload)
		}
	}
	if got != "[1]" || protocol != "HTTP/2.0" {
		t.Errorf("streamed %q over %s", got, protocol)
	}
	f, err := a.GetFunction(context.Background(), &lambda.GetFunctionInput{FunctionName: aws.String("f")})
	a.Check(err)
	res, err := (&http.Client{Transport: secure}).Get(*f.Code.Location)
	a.Check(err)
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != string(code) || !strings.HasPrefix(*f.Code.Location, "https://localhost:") {
		t.Errorf("%s gives %d bytes (%v)", *f.Code.Location, len(body), err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
