package conformance

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const (
	region  = "us-east-1"
	account = "123456789012"
)

// A server is bin/caddy with both APIs.
type server struct {
	address string
	keys    aws.CredentialsProvider
}

// printed is what the server has printed, and when it serves.
type printed struct {
	mu     sync.Mutex
	text   bytes.Buffer
	serves chan struct{}
	told   bool
}

func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text.Write(b)
	if !p.told && bytes.Contains(p.text.Bytes(), []byte("serving initial configuration")) {
		p.told = true
		close(p.serves)
	}
	return len(b), nil
}

func (p *printed) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

func start(t *testing.T) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "hc") // a short one: a unix socket's path has 107 characters at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	config := filepath.Join(dir, "Caddyfile")
	text := fmt.Sprintf(`{
	admin unix/%[1]s/admin.sock
	auto_https off
	hearth {
		data_dir %[1]s/data
		account %[3]s
		function_url http://*.fn.localhost:%[2]d
		sqs {
			endpoint http://127.0.0.1:1
			access_key testing testing-secret
		}
		kinesis {
			endpoint http://127.0.0.1:1
			access_key testing testing-secret
		}
		dynamodb {
			endpoint http://127.0.0.1:1
			access_key testing testing-secret
		}
	}
}
http://127.0.0.1:%[2]d, http://stream-127.0.0.1:%[2]d {
	lambda_api
}
http://*.fn.localhost:%[2]d {
	function_urls
}
`, dir, port, account)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	binary, err := filepath.Abs("../../bin/caddy")
	if err != nil {
		t.Fatal(err)
	}
	out := &printed{serves: make(chan struct{})}
	cmd := exec.Command(binary, "run", "--config", config, "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir+"/xdg", "XDG_CONFIG_HOME="+dir+"/xdg", "XDG_RUNTIME_DIR="+dir)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: build it with ./xcaddy.sh build", err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-exited
		if t.Failed() {
			t.Logf("the server printed:\n%s", out)
		}
	})
	select {
	case <-out.serves:
	case <-exited:
		t.Fatalf("the server ended:\n%s", out)
	case <-time.After(30 * time.Second):
		t.Fatalf("the server does not serve after 30 s:\n%s", out)
	}
	return &server{fmt.Sprintf("http://127.0.0.1:%d", port), keys(t, filepath.Join(dir, "data", "credentials"))}
}

// keys reads the key that the server has made.
func keys(t *testing.T, path string) aws.CredentialsProvider {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, "=")
		values[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return credentials.NewStaticCredentialsProvider(values["aws_access_key_id"], values["aws_secret_access_key"], "")
}
