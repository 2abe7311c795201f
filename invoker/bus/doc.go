// Package bus is what happens to an event of Amazon EventBridge on its way from a bus, or from
// the clock, to the target of a rule. It is pure.
//
//	Event ── Pattern of a rule ── Target ├─ Input                      fixed JSON
//	                                     ├─ InputPath                  a part of the event
//	                                     ├─ InputTransformer           a template, filled from the event
//	                                     └─ else the event itself
//	                                     = Dispatch: what goes to which ARN, for whom
//
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
package bus
