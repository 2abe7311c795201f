package tests

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const (
	motoKey    = "testing-id"
	motoSecret = "testing-secret-0123456789"
)

// A moto is moto_server: AWS's SQS, SNS and S3 as far as a test needs them.
type moto struct {
	url string
	sqs *sqs.Client
	sns *sns.Client
}

func startMoto(t *testing.T) *moto {
	t.Helper()
	port := freePort(t)
	m := &moto{url: fmt.Sprintf("http://127.0.0.1:%d", port)}
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
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		select {
		case <-exited:
			t.Fatalf("moto is missing or does not start: pip install 'moto[server]'\n%s", out.String())
		default:
		}
		if r, err := client.Get(m.url + "/moto-api/"); err == nil {
			r.Body.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatal("moto does not answer after 30 s")
		}
	}
	m.sqs = sqs.New(sqs.Options{Region: "us-east-1", BaseEndpoint: &m.url, Credentials: keys(motoKey, motoSecret)})
	m.sns = sns.New(sns.Options{Region: "us-east-1", BaseEndpoint: &m.url, Credentials: keys(motoKey, motoSecret)})
	return m
}

// options are the services of the hearth option.
func (m *moto) options() string {
	var b strings.Builder
	for _, service := range []string{"s3", "sqs", "sns"} {
		fmt.Fprintf(&b, "%s {\n endpoint %s\n access_key %s %s\n}\n", service, m.url, motoKey, motoSecret)
	}
	return b.String()
}

// queue makes a queue, and returns its address and ARN.
func (m *moto) queue(t *testing.T, name string) (address, arn string) {
	t.Helper()
	made, err := m.sqs.CreateQueue(context.Background(), &sqs.CreateQueueInput{QueueName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return *made.QueueUrl, "arn:aws:sqs:us-east-1:123456789012:" + name
}

// next takes the next message of a queue.
func (m *moto) next(t *testing.T, address string) sqstypes.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	got, err := m.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &address, WaitTimeSeconds: 15, MaxNumberOfMessages: 1, MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{sqstypes.MessageSystemAttributeNameAWSTraceHeader},
	})
	if err != nil || len(got.Messages) != 1 {
		t.Fatalf("%d messages, %v", len(got.Messages), err)
	}
	return got.Messages[0]
}

// isOurs fails unless all of what is put into a queue comes to us: nobody else polls it. A
// poll that was ended a moment ago may have one more message, which comes back.
func (m *moto) isOurs(t *testing.T, address string, body string) {
	t.Helper()
	// A poller that ends waits for the answer to its last question, 5 s at most: this one is
	// answered after it.
	if _, err := m.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &address, WaitTimeSeconds: 8}); err != nil {
		t.Fatal(err)
	}
	const enough = 5 // that somebody who polls would have one
	for range enough {
		if _, err := m.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &address, MessageBody: &body}); err != nil {
			t.Fatal(err)
		}
	}
	for range enough {
		got := m.next(t, address)
		if _, err := m.sqs.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &address, ReceiptHandle: got.ReceiptHandle}); err != nil {
			t.Fatal(err)
		}
	}
}

// objects waits until there are n objects whose names begin so, and returns them.
func (m *moto) objects(t *testing.T, bucket, prefix string, n int) (bodies []string) {
	t.Helper()
	read := func(path string) string {
		request, err := http.NewRequest("GET", m.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		// Objects are private; that there is a signature is enough for moto.
		request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+motoKey+"/20260101/us-east-1/s3/aws4_request")
		r, err := client.Do(request)
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
	eventually(t, fmt.Sprintf("there are %d objects", n), func() bool {
		names = strings.Split(read("/"+bucket+"?list-type=2&prefix="+prefix), "<Key>")[1:]
		return len(names) == n
	})
	for _, name := range names {
		key, _, _ := strings.Cut(name, "</Key>")
		bodies = append(bodies, read("/"+bucket+"/"+key))
	}
	return bodies
}
