package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const (
	MotoKey    = "testing-id"
	MotoSecret = "testing-secret-0123456789"
)

// A Moto is moto_server: AWS's SQS, SNS and S3 as far as a test needs them.
type Moto struct {
	URL string
	SQS *sqs.Client
	Sns *sns.Client
}

func StartMoto(t *testing.T) *Moto {
	t.Helper()
	port := FreePort(t)
	m := &Moto{URL: fmt.Sprintf("http://127.0.0.1:%d", port)}
	cmd := exec.Command("python3", "-m", "moto.server", "-H", "127.0.0.1", "-p", fmt.Sprint(port))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out strings.Builder // to be read when the process has ended
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-exited })
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		select {
		case <-exited:
			t.Fatalf("moto is missing or does not start: pip install 'moto[server]'\n%s", out.String())
		default:
		}
		if r, err := Client.Get(m.URL + "/moto-api/"); err == nil {
			r.Body.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatal("moto does not answer after a minute")
		}
	}
	m.SQS = sqs.New(sqs.Options{Region: "us-east-1", BaseEndpoint: &m.URL, Credentials: Keys(MotoKey, MotoSecret)})
	m.Sns = sns.New(sns.Options{Region: "us-east-1", BaseEndpoint: &m.URL, Credentials: Keys(MotoKey, MotoSecret)})
	return m
}

// Options are the services of the hearth option.
func (m *Moto) Options() string {
	var b strings.Builder
	for _, service := range []string{"s3", "sqs", "sns"} {
		fmt.Fprintf(&b, "%s {\n endpoint %s\n access_key %s %s\n}\n", service, m.URL, MotoKey, MotoSecret)
	}
	return b.String()
}

// Queue makes a queue, and returns its address and ARN.
func (m *Moto) Queue(t *testing.T, name string) (address, arn string) {
	t.Helper()
	made, err := m.SQS.CreateQueue(context.Background(), &sqs.CreateQueueInput{QueueName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return *made.QueueUrl, "arn:aws:sqs:us-east-1:123456789012:" + name
}

// Next takes the next message of a queue.
func (m *Moto) Next(t *testing.T, address string) sqstypes.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	got, err := m.SQS.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &address, WaitTimeSeconds: 15, MaxNumberOfMessages: 1, MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{sqstypes.MessageSystemAttributeNameAWSTraceHeader},
	})
	if err != nil || len(got.Messages) != 1 {
		t.Fatalf("%d messages, %v", len(got.Messages), err)
	}
	return got.Messages[0]
}

// IsOurs fails unless all of what is put into a queue comes to us: nobody else polls it. A
// poll that was ended a moment ago may have one more message, which comes back.
func (m *Moto) IsOurs(t *testing.T, address string, body string) {
	t.Helper()
	// A poller that ends waits for the answer to its last question, 5 s at most: this one is
	// answered after it.
	if _, err := m.SQS.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &address, WaitTimeSeconds: 8}); err != nil {
		t.Fatal(err)
	}
	const enough = 5 // that somebody who polls would have one
	for range enough {
		if _, err := m.SQS.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &address, MessageBody: &body}); err != nil {
			t.Fatal(err)
		}
	}
	for range enough {
		got := m.Next(t, address)
		if _, err := m.SQS.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &address, ReceiptHandle: got.ReceiptHandle}); err != nil {
			t.Fatal(err)
		}
	}
}

// Objects waits until there are n objects whose names begin so, and returns them.
func (m *Moto) Objects(t *testing.T, bucket, prefix string, n int) (bodies []string) {
	t.Helper()
	read := func(path string) string {
		request, err := http.NewRequest("GET", m.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		// Objects are private; that there is a signature is enough for moto.
		request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+MotoKey+"/20260101/us-east-1/s3/aws4_request")
		r, err := Client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s, %v", path, r.StatusCode, body, err)
		}
		return string(body)
	}
	var names []string
	Eventually(t, fmt.Sprintf("there are %d objects", n), func() bool {
		names = strings.Split(read("/"+bucket+"?list-type=2&prefix="+prefix), "<Key>")[1:]
		return len(names) == n
	})
	for _, name := range names {
		key, _, _ := strings.Cut(name, "</Key>")
		bodies = append(bodies, read("/"+bucket+"/"+key))
	}
	return bodies
}

func (m *Moto) MakeQueue(t *testing.T, name string) (url, arn string) {
	t.Helper()
	q, err := m.SQS.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: map[string]string{"VisibilityTimeout": "2"}})
	if err != nil {
		t.Fatal(err)
	}
	return *q.QueueUrl, "arn:aws:sqs:us-east-1:123456789012:" + name
}

// Dynamo calls moto's DynamoDB.
func (m *Moto) Dynamo(t *testing.T, operation, body string) (answer struct {
	TableDescription struct{ LatestStreamArn string }
}) {
	t.Helper()
	request, err := http.NewRequest("POST", m.URL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.0")
	request.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+MotoKey+"/20260101/us-east-1/dynamodb/aws4_request")
	got, err := Try(request)
	if err != nil || got.Status != 200 || json.Unmarshal([]byte(got.Body), &answer) != nil {
		t.Fatalf("%s: %v %v", operation, got, err)
	}
	return answer
}

// Stream makes a Kinesis stream.
func (m *Moto) Stream(t *testing.T, name string, shards int32) (client *kinesis.Client, arn string) {
	t.Helper()
	client = kinesis.New(kinesis.Options{Region: "us-east-1", BaseEndpoint: &m.URL, Credentials: Keys(MotoKey, MotoSecret)})
	if _, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: &name, ShardCount: &shards}); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "the stream is there", func() bool {
		got, err := client.DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: &name})
		return err == nil && got.StreamDescriptionSummary.StreamStatus == kinesistypes.StreamStatusActive
	})
	return client, "arn:aws:kinesis:us-east-1:123456789012:stream/" + name
}
