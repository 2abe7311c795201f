// Package pattern matches JSON events against EventBridge event patterns, which
// event source mappings use as filter criteria too. It is pure.
//
//	{"source": ["aws.s3"],                        every field named must match,
//	 "detail": {"size": [{"numeric": [">", 0]},   by any of its values;
//	                     {"exists": false}]}}     fields not named do not count
//
// The language is AWS's, checked against its documentation and against Event Ruler,
// the library that EventBridge published:
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns-content-based-filtering.html
// https://github.com/aws/event-ruler
//
//	value                      equal: text for text, and 300 is not 300.0
//	prefix, suffix             of a string; {"prefix": {"equals-ignore-case": s}} too
//	equals-ignore-case         of a string
//	wildcard                   * is anything; \* and \\ are themselves, ** is refused
//	anything-but               strings, numbers, or one of the four above
//	numeric                    = < <= > >=, two of them for a range, -5e9..5e9
//	cidr                       IPv4 and IPv6
//	exists                     true or false, of a leaf
//	$or                        two or more objects, at any level
//
// Names are joined by dots, of patterns and of events: {"a.b": [1]} is {"a": {"b": [1]}}.
//
// An array in the event matches if one of its elements does. Fields of one pattern
// object are looked for in the same element, never put together from several.
// What the language does not have is refused by name when the pattern is parsed.
package pattern
