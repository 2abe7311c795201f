package pull

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/hearthfn/hearth/warmpool/function/registry"
)

const kafkaScheme = "kafka://"

// Names that Kafka allows.
var topicPattern = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// checkKafka says whether a mapping names a topic that can be reached, and fills in the
// defaults.
// https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html
func checkKafka(m *registry.Mapping) error {
	if strings.HasPrefix(m.EventSourceArn, "arn:") {
		return errors.New("clusters of Amazon MSK are not supported: name the brokers, as of a self-managed cluster")
	}
	if _, err := brokersOf(m); err != nil {
		return err
	}
	if len(m.Topics) != 1 || !topicPattern.MatchString(m.Topics[0]) || strings.Trim(m.Topics[0], ".") == "" {
		return fmt.Errorf("one topic of Kafka is wanted, whose name has letters, digits, '.', '_' and '-', not %q", m.Topics)
	}
	if _, err := connect(m); err != nil {
		return err
	}
	if err := refuseKafka(m); err != nil {
		return err
	}
	setDefault(&m.BatchSize, 100)
	setDefault(&m.MaximumRecordAgeInSeconds, -1)
	setDefault(&m.MaximumRetryAttempts, -1)
	if no := false; m.BisectBatchOnFunctionError == nil {
		m.BisectBatchOnFunctionError = &no
	}
	m.StartingPosition = cmp.Or(m.StartingPosition, "TRIM_HORIZON")
	if m.StartingPosition == "AT_TIMESTAMP" && m.StartingPositionTimestamp == nil {
		return errors.New("the starting position AT_TIMESTAMP has no time")
	}
	return refuseShardSettings("topics of Kafka", m, true)
}

// refuseKafka names what the Lambda API can ask for and is not there.
func refuseKafka(m *registry.Mapping) error {
	var access []struct{ Type string }
	if err := member(m, "SourceAccessConfigurations", &access); err != nil {
		return err
	}
	for _, a := range access {
		if a.Type != "VPC_SUBNET" && a.Type != "VPC_SECURITY_GROUP" { // there is no VPC to be in
			return fmt.Errorf("the source access configuration %.40s names a secret of AWS Secrets Manager, which is not there: name the cluster as an event_source of the Caddyfile, with sasl and tls", a.Type)
		}
	}
	var config struct{ SchemaRegistryConfig json.RawMessage }
	if err := member(m, "SelfManagedKafkaEventSourceConfig", &config); err != nil {
		return err
	}
	if len(config.SchemaRegistryConfig) > 0 {
		return errors.New("schema registries are not supported: the function gets keys and values as they are")
	}
	return nil
}

// member reads one of the members that a mapping has for its kind of source.
func member(m *registry.Mapping, name string, to any) error {
	text := m.Source[name]
	if len(text) == 0 {
		return nil
	}
	if err := json.Unmarshal(text, to); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// brokersOf are the brokers that a mapping names, as HOST:PORT.
func brokersOf(m *registry.Mapping) ([]string, error) {
	var brokers []string
	if list, ok := strings.CutPrefix(m.EventSourceArn, kafkaScheme); ok {
		brokers = strings.Split(list, ",")
	} else {
		var source struct{ Endpoints map[string][]string }
		if err := member(m, "SelfManagedEventSource", &source); err != nil {
			return nil, err
		}
		brokers = source.Endpoints["KAFKA_BOOTSTRAP_SERVERS"]
	}
	if len(brokers) == 0 {
		return nil, errors.New("no broker of Kafka is named: KAFKA_BOOTSTRAP_SERVERS has them as HOST:PORT")
	}
	for _, one := range brokers {
		host, port, err := net.SplitHostPort(one)
		if err == nil && host != "" {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil || host == "" || strings.ContainsAny(host, "/@ ") {
			return nil, fmt.Errorf("broker %.100q of Kafka is not HOST:PORT", one)
		}
	}
	return brokers, nil
}

// groupOf is the consumer group of a mapping.
func groupOf(m *registry.Mapping) (string, error) {
	var config struct {
		ConsumerGroupID string `json:"ConsumerGroupId"`
	}
	if err := member(m, "SelfManagedKafkaEventSourceConfig", &config); err != nil {
		return "", err
	}
	if m.Connection != nil && m.Connection.Group != "" {
		return m.Connection.Group, nil
	}
	return cmp.Or(config.ConsumerGroupID, m.UUID), nil
}

// Limits of what a client has in memory at once, in bytes.
const (
	maxFetch      = 8 << 20 // of one broker, compressed
	maxFetchFrame = 32 << 20
	maxDecompress = 64 << 20 // one batch of the broker's
)

// connect is how the brokers of a mapping are reached.
func connect(m *registry.Mapping) ([]kgo.Opt, error) {
	brokers, err := brokersOf(m)
	if err != nil {
		return nil, err
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(brokers...), kgo.ClientID("hearth"), kgo.DisableClientMetrics(),
		kgo.FetchMaxBytes(maxFetch), kgo.BrokerMaxReadBytes(maxFetchFrame), kgo.MaxDecompressBatchBytes(maxDecompress),
	}
	c := m.Connection
	if c == nil {
		return options, nil
	}
	if c.SASL != "" && c.Username == "" {
		return nil, errors.New("SASL wants a username and a password")
	}
	switch c.SASL {
	case "":
		if c.Username != "" {
			return nil, errors.New("a username of Kafka wants a SASL mechanism: plain, scram-sha-256 or scram-sha-512")
		}
	case "PLAIN":
		options = append(options, kgo.SASL(plain.Auth{User: c.Username, Pass: c.Password}.AsMechanism()))
	case "SCRAM-SHA-256":
		options = append(options, kgo.SASL(scram.Auth{User: c.Username, Pass: c.Password}.AsSha256Mechanism()))
	case "SCRAM-SHA-512":
		options = append(options, kgo.SASL(scram.Auth{User: c.Username, Pass: c.Password}.AsSha512Mechanism()))
	default:
		return nil, fmt.Errorf("SASL mechanism %.40s is not supported; there are plain, scram-sha-256 and scram-sha-512", c.SASL)
	}
	if c.TLS {
		config, err := tlsOf(c)
		if err != nil {
			return nil, err
		}
		options = append(options, kgo.DialTLSConfig(config))
	}
	return options, nil
}

// tlsOf reads the files that a connection names.
func tlsOf(c *registry.Connection) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		text, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("certificate authority: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("certificate authority: %s has no certificate (PEM)", c.CAFile)
		}
	}
	if c.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("client certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{cert}
	}
	return config, nil
}

// isSelfManaged reports whether a mapping of the Lambda API names brokers of Kafka.
func isSelfManaged(m *registry.Mapping) bool {
	return m.EventSourceArn == "" && !slices.Contains([]string{"", "null"}, string(m.Source["SelfManagedEventSource"]))
}
