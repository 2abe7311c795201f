// Package objectstore runs real S3-compatible stores that post their events to a
// webhook, each a process on loopback with a folder of its own, for tests.
//
// A store's program is looked for on PATH, then in the user's cache folder, where it is
// built with go install if it is not there either; MinIO takes a few minutes. They are
// programs of their own: nothing of them is linked into Hearth or its tests.
package objectstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	accessKey = "minioadmin"
	secretKey = "minioadmin"

	readyWithin = time.Minute
	buildWithin = 25 * time.Minute
)

// A program is built from a module, of a version that does not change under us.
type program struct{ name, pkg, version string }

// path returns where the program is, and builds it if it is nowhere.
func (p program) path(t testing.TB) string {
	t.Helper()
	if path, err := exec.LookPath(p.name); err == nil {
		return path
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatalf("%s is not on PATH, and there is no folder to build it in: %v", p.name, err)
	}
	folder := filepath.Join(cache, "hearth-tests", p.name+"-"+p.version)
	path := filepath.Join(folder, p.name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		defer lock.Close()
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX) // tests of several packages ask at once
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		return path
	}
	t.Logf("building %s, once", p.name)
	ctx, cancel := context.WithTimeout(t.Context(), buildWithin)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "install", p.pkg+"@"+p.version)
	build.Env = append(os.Environ(), "GOBIN="+folder, "GOFLAGS=-p=1")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", p.name, err, output)
	}
	return path
}

// A Store is a store that runs until the test ends.
type Store struct {
	Endpoint string // http://HOST:PORT
	notify   string // ARN of the webhook, empty if the store posts all events to it
	command  *exec.Cmd
	make     func() *exec.Cmd
	exited   chan struct{} // closed when the process has ended
	output   bytes.Buffer  // of the process; to be read when it has exited
}

var (
	minio   = program{"minio", "github.com/minio/minio", "v0.0.0-20260212201848-7aac2a2c5b7c"}
	versity = program{"versitygw", "github.com/versity/versitygw/cmd/versitygw", "v1.8.0"}
)

// MinIO is the path of the program, which is built if it is not there.
func MinIO(t testing.TB) string {
	t.Helper()
	return minio.path(t)
}

// StartMinIO starts a MinIO that posts what Notify asks for to webhook, with token as
// its bearer token; to no webhook, nothing. It looks into its queue every 3 s, for what
// is new and for what could not be delivered.
func StartMinIO(t testing.TB, webhook, token string) *Store {
	t.Helper()
	p := minio
	address, folder := freeAddress(t), t.TempDir()
	s := &Store{Endpoint: "http://" + address, make: func() *exec.Cmd {
		command := exec.Command(p.path(t), "server", "--quiet", "--address", address, filepath.Join(folder, "data"))
		command.Env = append(os.Environ(),
			"MINIO_ROOT_USER="+accessKey, "MINIO_ROOT_PASSWORD="+secretKey, "MINIO_BROWSER=off", "MINIO_UPDATE=off")
		if webhook != "" {
			command.Env = append(command.Env,
				"MINIO_NOTIFY_WEBHOOK_ENABLE_HEARTH=on", "MINIO_NOTIFY_WEBHOOK_ENDPOINT_HEARTH="+webhook,
				"MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_HEARTH="+token,
				"MINIO_NOTIFY_WEBHOOK_QUEUE_DIR_HEARTH="+filepath.Join(folder, "queue"))
		}
		return command
	}}
	if webhook != "" {
		s.notify = "arn:minio:sqs::HEARTH:webhook"
	}
	s.Start(t)
	return s
}

// StartVersity starts a Versity gateway that posts every event to webhook, once, and
// without a proof of who it is.
func StartVersity(t testing.TB, webhook string) *Store {
	t.Helper()
	p := versity
	address, folder := freeAddress(t), t.TempDir()
	s := &Store{Endpoint: "http://" + address, make: func() *exec.Cmd {
		return exec.Command(p.path(t), "--quiet", "--port", address, "--access", accessKey, "--secret", secretKey,
			"--event-webhook-url", webhook, "posix", folder)
	}}
	s.Start(t)
	return s
}

// freeAddress has a port that the kernel gives to no client meanwhile.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 1000 {
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.N(20_000))
		if listener, err := net.Listen("tcp", address); err == nil {
			listener.Close()
			return address
		}
	}
	t.Fatal("no port from 10000 to 29999 is free")
	return ""
}

// Kill ends the store as a power failure does, but for the disk's cache. Start starts it
// again, with what it had.
func (s *Store) Kill() {
	_ = s.command.Process.Kill()
	<-s.exited
}

// Start runs the store until the test ends, and returns when it answers.
func (s *Store) Start(t testing.TB) {
	t.Helper()
	command, exited := s.make(), make(chan struct{})
	s.command, s.exited = command, exited
	command.Stdout, command.Stderr = &s.output, &s.output
	// No store outlives a test that was killed.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(exited)
		_ = command.Wait()
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		<-exited
		if t.Failed() {
			t.Logf("%s printed:\n%s", filepath.Base(command.Path), s.output.Bytes())
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), readyWithin)
	defer cancel()
	for {
		err := s.answers(ctx)
		if err == nil {
			return
		}
		select {
		case <-s.exited:
			t.Fatalf("%s ended instead of starting", filepath.Base(command.Path))
		case <-ctx.Done():
			t.Fatalf("%s does not answer: %v", filepath.Base(command.Path), err)
		case <-time.After(50 * time.Millisecond): // nothing tells when a server listens
		}
	}
}

// answers says whether the store lists its buckets: MinIO listens before it serves.
func (s *Store) answers(ctx context.Context) error {
	status, body, err := s.do(ctx, http.MethodGet, "/", "", "", nil)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d: %s", status, body)
	}
	return err
}

// MustMakeBucket makes a bucket whose objects' creation and removal is posted.
func (s *Store) MustMakeBucket(t testing.TB, bucket string) {
	t.Helper()
	s.must(t, http.MethodPut, "/"+bucket, "", "", nil)
	if s.notify == "" {
		return
	}
	s.mustNotify(t, bucket)
}

// AwaitTarget waits until the store knows its webhook.
func (s *Store) AwaitTarget(t testing.TB) {
	t.Helper()
	const bucket = "of-the-target"
	s.MustMakeBucket(t, bucket)
	s.must(t, http.MethodDelete, "/"+bucket, "", "", nil)
}

// mustNotify has the store post the creation and the removal of a bucket's objects. MinIO answers
// before it has made its targets, and knows none of them until then.
func (s *Store) mustNotify(t testing.TB, bucket string) {
	t.Helper()
	configuration := `<NotificationConfiguration><QueueConfiguration><Id>hearth</Id><Queue>` + s.notify +
		`</Queue><Event>s3:ObjectCreated:*</Event><Event>s3:ObjectRemoved:*</Event></QueueConfiguration></NotificationConfiguration>`
	ctx, cancel := context.WithTimeout(t.Context(), readyWithin)
	defer cancel()
	for {
		status, answer, err := s.do(ctx, http.MethodPut, "/"+bucket, "notification=", "application/xml", []byte(configuration))
		if err == nil && status/100 == 2 {
			return
		}
		if err != nil || !bytes.Contains(answer, []byte("A specified destination ARN does not exist")) {
			t.Fatalf("notification of %s: %d %s, %v", bucket, status, answer, err)
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the store does not know its webhook after %s: %s", readyWithin, answer)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// MustPut writes an object.
func (s *Store) MustPut(t testing.TB, bucket, key, contentType string, body []byte) {
	t.Helper()
	s.must(t, http.MethodPut, "/"+bucket+"/"+key, "", contentType, body)
}

// Put writes an object; the error is a *StatusError if the store refuses.
func (s *Store) Put(ctx context.Context, bucket, key, contentType string, body []byte) error {
	status, answer, err := s.do(ctx, http.MethodPut, "/"+bucket+"/"+key, "", contentType, body)
	if err == nil && status/100 != 2 {
		err = &StatusError{Status: status, Body: string(answer)}
	}
	return err
}

// MustCopy writes an object that is the same as another one of the bucket.
func (s *Store) MustCopy(t testing.TB, bucket, from, to string) {
	t.Helper()
	header := http.Header{"X-Amz-Copy-Source": {escape("/" + bucket + "/" + from)}}
	status, answer, err := s.send(t.Context(), http.MethodPut, "/"+bucket+"/"+to, "", header, nil)
	if err != nil || status/100 != 2 {
		t.Fatalf("copy %q to %q: %d %s, %v", from, to, status, answer, err)
	}
}

// MustDelete removes an object.
func (s *Store) MustDelete(t testing.TB, bucket, key string) {
	t.Helper()
	s.must(t, http.MethodDelete, "/"+bucket+"/"+key, "", "", nil)
}

// Get returns an object, and an error that is a *StatusError if the store refuses.
func (s *Store) Get(ctx context.Context, bucket, key string) ([]byte, error) {
	status, body, err := s.do(ctx, http.MethodGet, "/"+bucket+"/"+key, "", "", nil)
	if err == nil && status != http.StatusOK {
		err = &StatusError{Status: status, Body: string(body)}
	}
	return body, err
}

// A StatusError is an answer of the store that is not 200.
type StatusError struct {
	Status int
	Body   string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("the store answers %d: %s", e.Status, strings.TrimSpace(e.Body))
}

func (s *Store) must(t testing.TB, method, path, query, contentType string, body []byte) {
	t.Helper()
	status, answer, err := s.do(t.Context(), method, path, query, contentType, body)
	if err == nil && status/100 != 2 {
		err = errors.New(string(answer))
	}
	if err != nil {
		t.Fatalf("%s %s: %d, %v", method, path, status, err)
	}
}
