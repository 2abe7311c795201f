package logs

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// results asks until the query has ended.
func (w *world) results(id *string) *cloudwatchlogs.GetQueryResultsOutput {
	w.t.Helper()
	for {
		out, err := w.client.GetQueryResults(w.t.Context(), &cloudwatchlogs.GetQueryResultsInput{QueryId: id})
		if err != nil {
			w.t.Fatal(err)
		}
		if out.Status != types.QueryStatusRunning && out.Status != types.QueryStatusScheduled {
			return out
		}
	}
}

func (w *world) query(query string) *cloudwatchlogs.StartQueryInput {
	return &cloudwatchlogs.StartQueryInput{
		LogGroupName: thumb, QueryString: &query,
		StartTime: aws.Int64(time.Now().Add(-time.Hour).Unix()), EndTime: aws.Int64(time.Now().Unix()),
	}
}

func TestInsightsQueriesRunWithTheRealClients(t *testing.T) {
	w := newWorld(t)
	st := w.stream("thumb", "$LATEST", "e1")
	st.Start(time.Now(), "r1", "$LATEST")
	st.Line(time.Now(), "r1", []byte(`{"level":"error","code":500}`))
	st.Line(time.Now(), "r1", []byte(`{"level":"info","code":200}`))

	id := strings.TrimSpace(w.cli("logs", "start-query", "--log-group-name", *thumb, "--start-time", fmt.Sprint(time.Now().Add(-time.Hour).Unix()),
		"--end-time", fmt.Sprint(time.Now().Unix()), "--query-string", `fields code, @message | filter level = "error"`))
	w.results(&id)
	out := w.cli("logs", "get-query-results", "--query-id", id)
	for _, want := range []string{"Complete", "code\t500", `@message	{"level":"error","code":500}`, "STATISTICS"} {
		if !strings.Contains(out, want) {
			t.Errorf("aws logs get-query-results has no %q: %s", want, out)
		}
	}
	if out := w.cli("logs", "describe-queries", "--log-group-name", *thumb); !strings.Contains(out, id) {
		t.Errorf("aws logs describe-queries: %s", out)
	}

	started, err := w.client.StartQuery(t.Context(), w.query("fields @message | filter code < 300"))
	if err != nil {
		t.Fatal(err)
	}
	found := w.results(started.QueryId)
	if len(found.Results) != 1 || len(found.Results[0]) != 2 || found.Statistics.RecordsScanned != 3 || found.Statistics.RecordsMatched != 1 {
		t.Fatalf("results %+v of %+v", found.Results, found.Statistics)
	}
	pointer := found.Results[0][1]
	record, err := w.client.GetLogRecord(t.Context(), &cloudwatchlogs.GetLogRecordInput{LogRecordPointer: pointer.Value})
	if err != nil || *pointer.Field != "@ptr" || record.LogRecord["@requestId"] != "r1" || !strings.Contains(record.LogRecord["@message"], "200") {
		t.Errorf("GetLogRecord of %s: %+v, %v", *pointer.Field, record, err)
	}
	// A pointer leads to its own group alone.
	plain, err := base64.RawURLEncoding.DecodeString(*pointer.Value)
	if err != nil {
		t.Fatal(err)
	}
	for _, forged := range []string{
		base64.RawURLEncoding.EncodeToString([]byte(strings.ReplaceAll(string(plain), "thumb", "other"))),
		base64.RawURLEncoding.EncodeToString(plain[16:]), base64.RawURLEncoding.EncodeToString(plain[:8]),
	} {
		_, err := w.client.GetLogRecord(t.Context(), &cloudwatchlogs.GetLogRecordInput{LogRecordPointer: &forged})
		wantCode(t, err, "InvalidParameterException", "pointer")
	}
	_, err = w.client.StopQuery(t.Context(), &cloudwatchlogs.StopQueryInput{QueryId: started.QueryId})
	wantCode(t, err, "InvalidParameterException", "not in Running")
}

func TestInsightsQueriesAreRefusedAsAWSDoes(t *testing.T) {
	w := newWorld(t)
	w.stream("thumb", "$LATEST", "e1").Line(time.Now(), "", []byte("x"))
	_, err := w.client.StartQuery(t.Context(), w.query("fields @message | anomaly x"))
	var malformed *types.MalformedQueryException
	if !errors.As(err, &malformed) || malformed.QueryCompileError == nil || *malformed.QueryCompileError.Location.StartCharOffset != 18 ||
		*malformed.QueryCompileError.Location.EndCharOffset != 25 || !strings.Contains(*malformed.QueryCompileError.Message, "anomaly is not supported") {
		t.Errorf("a command that is not supported: %v", err)
	}
	for want, change := range map[string]func(*cloudwatchlogs.StartQueryInput){
		"Exactly one of":           func(in *cloudwatchlogs.StartQueryInput) { in.LogGroupNames = []string{*thumb} },
		"queryLanguage SQL is not": func(in *cloudwatchlogs.StartQueryInput) { in.QueryLanguage = types.QueryLanguageSql },
		"should not be before":     func(in *cloudwatchlogs.StartQueryInput) { in.EndTime = aws.Int64(1) },
		"'limit' is not supported": func(in *cloudwatchlogs.StartQueryInput) { in.Limit = aws.Int32(100000) },
		"log group does not exist": func(in *cloudwatchlogs.StartQueryInput) { in.LogGroupName = aws.String("none") },
	} {
		in := w.query("fields @message")
		change(in)
		code := "InvalidParameterException"
		if strings.Contains(want, "exist") {
			code = "ResourceNotFoundException"
		}
		_, err := w.client.StartQuery(t.Context(), in)
		wantCode(t, err, code, want)
	}
	_, err = w.client.GetQueryResults(t.Context(), &cloudwatchlogs.GetQueryResultsInput{QueryId: aws.String("none")})
	wantCode(t, err, "ResourceNotFoundException", "does not exist")
	_, err = w.client.GetLogRecord(t.Context(), &cloudwatchlogs.GetLogRecordInput{LogRecordPointer: aws.String("x")})
	wantCode(t, err, "InvalidParameterException", "pointer")
}

func TestFieldsOfAGroupAreThoseOfItsEvents(t *testing.T) {
	w := newWorld(t)
	st := w.stream("thumb", "$LATEST", "e1")
	for _, line := range []string{`{"level":"info","user":{"id":1,"tags":["a"]},"@x":2}`, `{"level":"warn"}`, "plain {", "no JSON"} {
		st.Line(time.Now(), "r1", []byte(line))
	}
	out, err := w.client.GetLogGroupFields(t.Context(), &cloudwatchlogs.GetLogGroupFieldsInput{LogGroupName: thumb})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int32{"@message": 100, "@timestamp": 100, "@ptr": 100, "@log": 100, "@logStream": 100, "@ingestionTime": 100, "@requestId": 100,
		"level": 50, "user.id": 25, "user.tags": 25, "@@x": 25}
	for _, f := range out.LogGroupFields {
		if want[*f.Name] != f.Percent {
			t.Errorf("%s is in %d %%, want %d", *f.Name, f.Percent, want[*f.Name])
		}
		delete(want, *f.Name)
	}
	if len(want) > 0 {
		t.Errorf("missing are %v", want)
	}
	out, err = w.client.GetLogGroupFields(t.Context(), &cloudwatchlogs.GetLogGroupFieldsInput{LogGroupName: thumb, Time: aws.Int64(time.Now().Add(-time.Hour).Unix())})
	if err != nil || len(out.LogGroupFields) > 0 {
		t.Errorf("an hour ago: %v, %v", out, err)
	}
	_, err = w.client.GetLogGroupFields(t.Context(), &cloudwatchlogs.GetLogGroupFieldsInput{LogGroupName: aws.String("none")})
	wantCode(t, err, "ResourceNotFoundException", "does not exist")
}
