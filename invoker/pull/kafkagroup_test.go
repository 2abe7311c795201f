package pull

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// numbers are the texts of 0 to n-1.
func numbers(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint(i)
	}
	return strings.Join(all, " ")
}

// shares are how many partitions each member of the group has, in order.
func (m *mill) shares() string {
	m.t.Helper()
	groups, err := kadm.NewClient(m.client).DescribeGroups(m.t.Context(), kafkaUUID)
	if err != nil {
		m.t.Fatal(err)
	}
	var all []int
	for _, member := range groups[kafkaUUID].Members {
		n := 0
		if assigned, ok := member.Assigned.AsConsumer(); ok {
			for _, topic := range assigned.Topics {
				n += len(topic.Partitions)
			}
		}
		all = append(all, n)
	}
	slices.Sort(all)
	return fmt.Sprint(all)
}

func TestPartitionsMoveBetweenNodesWithoutLossOrRepetition(t *testing.T) {
	m := newMill(t, 4)
	m.play = func([]string) (string, bool) { time.Sleep(5 * time.Millisecond); return "{}", false }
	small := func(m *registry.Mapping) { m.BatchSize, m.MaximumBatchingWindowInSeconds = ptr(5), ptr(0) }
	for p := range int32(4) {
		m.put(p, "0")
	}
	written := make(chan int)
	var enough atomic.Bool
	go func() {
		n := 1
		for ; !enough.Load(); n++ {
			for p := range int32(4) {
				m.put(p, fmt.Sprint(n))
			}
			time.Sleep(10 * time.Millisecond)
		}
		written <- n
	}()
	first := m.grind(small)
	defer first()
	m.wait("the first has all", func() bool { return m.shares() == "[4]" })
	second := m.grind(small)
	defer second()
	m.wait("each has its share", func() bool { return m.shares() == "[2 2]" })
	time.Sleep(time.Second) // to work on it
	first()
	m.wait("the second has all", func() bool { return m.shares() == "[4]" })
	enough.Store(true)
	n := <-written
	for p := range int32(4) {
		m.wantDone(p, numbers(n))
	}
}

func TestANodeReadsPartitionsBesideEachOtherWhenAsked(t *testing.T) {
	m := newMill(t, 3)
	var running, most atomic.Int32
	m.play = func([]string) (string, bool) {
		n := running.Add(1)
		for was := most.Load(); n > was && !most.CompareAndSwap(was, n); was = most.Load() {
		}
		time.Sleep(50 * time.Millisecond)
		running.Add(-1)
		return "{}", false
	}
	for p := range int32(3) {
		m.put(p, strings.Fields(numbers(20))...)
	}
	defer m.grind(func(m *registry.Mapping) { m.BatchSize, m.MaximumConcurrency = ptr(1), ptr(3) })()
	for p := range int32(3) {
		m.wantDone(p, numbers(20))
	}
	if most.Load() < 2 {
		t.Error("one batch ran at a time")
	}
}

func TestABatchThatWaitsToBeTriedAgainLetsPartitionsGo(t *testing.T) {
	m := newMill(t, 2)
	var healed atomic.Bool
	tried := make(chan struct{}, 1000)
	m.play = func(values []string) (string, bool) {
		tried <- struct{}{}
		return "{}", slices.Contains(values, "bad") && !healed.Load()
	}
	m.put(0, "bad", "a2")
	m.put(1, "bad", "b2")
	defer m.grind(nil)()
	for range 5 { // by now it waits for seconds
		<-tried
	}
	defer m.grind(nil)()
	m.wait("each has its share", func() bool { return m.shares() == "[1 1]" })
	healed.Store(true)
	m.wantDone(0, "bad a2")
	m.wantDone(1, "bad b2")
	m.wait("all is committed", func() bool { return m.committed(0) == 2 && m.committed(1) == 2 })
}

func TestAGroupThatBeginsLatestMissesNothingLater(t *testing.T) {
	m := newMill(t, 2)
	latest := func(m *registry.Mapping) { m.StartingPosition = "LATEST" }
	m.put(0, "before")
	stop := m.grind(latest)
	m.wait("the group has begun", func() bool { return m.committed(0) == 1 })
	stop()
	m.put(0, "meanwhile")
	m.put(1, "meanwhile")
	defer m.grind(latest)()
	m.wantDone(0, "meanwhile")
	m.wantDone(1, "meanwhile")
}

func TestAGroupBeginsAtATime(t *testing.T) {
	m := newMill(t, 1)
	m.put(0, "before")
	time.Sleep(20 * time.Millisecond)
	at := time.Now()
	m.put(0, "after")
	defer m.grind(func(m *registry.Mapping) { m.StartingPosition, m.StartingPositionTimestamp = "AT_TIMESTAMP", &at })()
	m.wantDone(0, "after")
}

func TestEventsOfKafkaAreOfALimitedSize(t *testing.T) {
	m := newMill(t, 2, kfake.BrokerConfigs(map[string]string{"message.max.bytes": "4000000"}))
	m.options = []kgo.Opt{kgo.ProducerBatchMaxBytes(3 << 20)}
	big := strings.Repeat("x", 2<<20)
	for n := range 3 {
		m.put(0, fmt.Sprint(n, big))
		m.put(1, fmt.Sprint(n, big))
	}
	defer m.grind(nil)()
	m.wait("all are done", func() bool { d := m.done(); return len(d["orders-0"]) > 6<<20 && len(d["orders-1"]) > 6<<20 })
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.calls {
		if n := len(strings.Join(e.values(), "")) * 4 / 3; n > maxEvent {
			t.Errorf("an event has %d bytes", n)
		}
	}
}

func TestABrokerOrTopicThatIsAwayIsNamed(t *testing.T) {
	m := newMill(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	p := m.poller(func(m *registry.Mapping) { m.Topics = []string{"nowhere"} })
	if err := p.run(ctx); err == nil || !strings.Contains(err.Error(), "topic nowhere: UNKNOWN_TOPIC") {
		t.Errorf("%v", err)
	}
	m.put(0, "a1")
	result := make(chan error, 1)
	p = m.poller(nil)
	go func() { result <- p.run(ctx) }()
	m.wantDone(0, "a1")
	m.cluster.Close()
	if err := <-result; err == nil || ctx.Err() != nil {
		t.Errorf("%v", err)
	}
	if err := p.run(ctx); err == nil || !strings.Contains(err.Error(), "no broker of Kafka answers") {
		t.Errorf("%v", err)
	}
}

// certificate makes one for 127.0.0.1 and says where it and its key are.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for path, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestKafkaIsReachedByTLSAndSASL(t *testing.T) {
	certFile, keyFile := certificate(t)
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	text, _ := os.ReadFile(certFile)
	pool.AppendCertsFromPEM(text)
	m := newMill(t, 1, kfake.EnableSASL(), kfake.Superuser("PLAIN", "plain", "p1"), kfake.Superuser("SCRAM-SHA-256", "s256", "p2"), kfake.Superuser("SCRAM-SHA-512", "s512", "p3"),
		kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}))
	m.options = []kgo.Opt{
		kgo.SASL(scram.Auth{User: "s512", Pass: "p3"}.AsSha512Mechanism()),
		kgo.DialTLSConfig(&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}}),
	}
	as := func(mechanism, user, password string) func(m *registry.Mapping) {
		return func(m *registry.Mapping) {
			m.UUID += mechanism
			m.Connection = &registry.Connection{SASL: mechanism, Username: user, Password: password, TLS: true, CAFile: certFile, CertFile: certFile, KeyFile: keyFile}
		}
	}
	m.put(0, "x")
	want := "x"
	for mechanism, user := range map[string][2]string{"PLAIN": {"plain", "p1"}, "SCRAM-SHA-256": {"s256", "p2"}, "SCRAM-SHA-512": {"s512", "p3"}} {
		stop := m.grind(as(mechanism, user[0], user[1]))
		m.wantDone(0, want)
		stop()
		want += " x" // each mechanism has a group of its own
	}
	if err := m.poller(as("PLAIN", "plain", "wrong")).run(t.Context()); err == nil {
		t.Error("a wrong password is taken")
	}
	untrusted := as("PLAIN", "plain", "p1")
	if err := m.poller(func(m *registry.Mapping) { untrusted(m); m.Connection.CAFile = "" }).run(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown authority: %v", err)
	}
}
