// Package template reads templates of CloudFormation and evaluates them. It is pure: it starts
// nothing and reaches nothing but through the callbacks of [Input] and [Attributes].
//
//	bytes --Decode--> document --New--> Template --Resolve(Input)--> Plan
//	                                                                  |  Order, Dependencies
//	                                       Properties(id, Attributes) |  Outputs(Attributes)
//
// [Decode] turns YAML (with the short forms, !Ref) or JSON into a document of plain values: map[string]any,
// []any, string, json.Number, bool and nil. [New] checks a document as CloudFormation checks it before
// anything is made: sections, names, references. [Template.Resolve] decides what does not depend on
// resources: parameters, mappings, conditions, rules. What remains is the [Plan]: resources in a graph, whose
// properties are evaluated when the resources exist that they refer to.
//
// Every error that a template or its parameters cause is an [*Error] with CloudFormation's words; the service
// answers it as a ValidationError. Sizes are bounded by the limits of CloudFormation
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html), and what a
// small template may grow to (aliases of YAML, Fn::Sub of long parameters) by limits of our own.
package template
