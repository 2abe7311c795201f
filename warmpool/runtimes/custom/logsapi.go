package custom

import "encoding/json"

// Versions of the schema of the Logs API, which the Telemetry API has replaced.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-logs-api.html
const (
	logsSchema     = "2020-08-15"
	logsSchemaDone = "2021-03-18" // with platform.runtimeDone
)

// telemetrySchema is the first version, which knows no records of JSON.
const telemetrySchema = "2022-07-01"

// forms are an event as the subscriber's schema has it: none where it has none.
func (s *subscriber) forms(o occurrence) [][]byte {
	text := o.text
	if o.plain != nil && (s.legacy || s.schema == telemetrySchema) {
		text = o.plain
	}
	if !s.legacy || o.kind != typePlatform {
		return [][]byte{text}
	}
	var e struct {
		Time   string         `json:"time"`
		Type   string         `json:"type"`
		Record map[string]any `json:"record"`
	}
	if json.Unmarshal(text, &e) != nil {
		return nil
	}
	form := func(name string, fields ...string) []byte {
		record := make(map[string]any, len(fields))
		for _, field := range fields {
			if value, ok := e.Record[field]; ok {
				record[field] = value
			}
		}
		e := e
		e.Type, e.Record = name, record
		text, err := json.Marshal(e)
		if err != nil {
			panic(err) // it has just been decoded
		}
		return text
	}
	switch o.name {
	case "platform.start":
		return [][]byte{form(o.name, "requestId", "version")}
	case "platform.runtimeDone":
		end := form("platform.end", "requestId")
		if s.schema == logsSchemaDone {
			return [][]byte{form(o.name, "requestId", "status"), end}
		}
		return [][]byte{end}
	case "platform.report":
		return [][]byte{form(o.name, "requestId", "metrics")}
	case "platform.telemetrySubscription":
		return [][]byte{form("platform.logsSubscription", "name", "state", "types")}
	case "platform.extension", "platform.logsDropped":
		return [][]byte{text}
	}
	return nil // of the init phase
}
