package harness

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// NoPassword is what a mapping of Kafka says whose brokers want none.
func NoPassword() []types.SourceAccessConfiguration {
	return []types.SourceAccessConfiguration{{Type: types.SourceAccessTypeVpcSubnet, URI: aws.String("subnet:subnet-0123456789abcdef0")}}
}

// A broker is a Kafka with topics, and a client that writes to it.
type broker struct {
	*kfake.Cluster
	t      *testing.T
	Client *kgo.Client
}

func StartBroker(t *testing.T, partitions int32, options []kfake.Opt, client ...kgo.Opt) *broker {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(partitions, "orders")}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	b := &broker{Cluster: cluster, t: t}
	if b.Client, err = kgo.NewClient(append(client, kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Client.Close(); cluster.Close() })
	return b
}

func (b *broker) Put(partition int32, values ...string) {
	b.t.Helper()
	records := make([]*kgo.Record, len(values))
	for n, v := range values {
		records[n] = &kgo.Record{Topic: "orders", Partition: partition, Value: []byte(v)}
	}
	if err := b.Client.ProduceSync(b.t.Context(), records...).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
}
