// Package pattern matches JSON events against EventBridge event patterns, which
// event source mappings use as filter criteria too. It is pure.
//
//	{"source": ["aws.s3"],                        every named field must match
//	 "detail": {"size": [{"numeric": [">", 0]},   one of its values;
//	                     {"exists": false}]}}     other fields do not count
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
// In patterns and in events names may be joined by dots: {"a.b": [1]} is {"a": {"b": [1]}}.
//
// An array in the event matches if one of its elements does. All fields of one pattern
// object must match in the same element. Parse refuses by name what the language does
// not have.
package pattern
