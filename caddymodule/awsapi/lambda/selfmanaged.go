package lambda

import (
	"encoding/json"
	"slices"

	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// selfManaged is the member of a mapping that names the brokers of Kafka.
const selfManaged = "SelfManagedEventSource"

// checkAccess wants of a mapping of self-managed Kafka what Lambda wants, as recorded.
func (in *mappingInput) checkAccess() error {
	if access, _ := in.SourceAccessConfigurations.([]any); in.SelfManagedEventSource != nil && len(access) == 0 {
		return invalid("Required 'sourceAccessConfigurations' parameter is missing.")
	}
	return nil
}

// brokersOf are the brokers of self-managed Kafka that a mapping names.
func brokersOf(m *registry.Mapping) []string {
	var source struct{ Endpoints map[string][]string }
	if len(m.Source[selfManaged]) == 0 || json.Unmarshal(m.Source[selfManaged], &source) != nil {
		return nil
	}
	return source.Endpoints["KAFKA_BOOTSTRAP_SERVERS"]
}

// sameSource says whether two mappings read the same source. Recorded from AWS, clusters
// that have a broker in common are one.
func sameSource(a, b *registry.Mapping) bool {
	if a.EventSourceArn != b.EventSourceArn || !slices.Equal(a.Topics, b.Topics) {
		return false
	}
	brokers, others := brokersOf(a), brokersOf(b)
	return len(brokers) == 0 && len(others) == 0 || slices.ContainsFunc(brokers, func(one string) bool { return slices.Contains(others, one) })
}
