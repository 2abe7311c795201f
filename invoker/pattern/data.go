package pattern

// Data is what a record of an event source carries, for MatchValue: a message's body, a
// stream's data. Lambda takes a pattern of fields for JSON alone, and one of values for
// what is no JSON: the other is not matched, whatever the pattern says.
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs-filtering.html
func Data(value any) any {
	switch v := value.(type) {
	case string:
		return text(v)
	case map[string]any, []any:
		return document{v}
	}
	return value
}

type (
	text     string
	document struct{ value any }
)
