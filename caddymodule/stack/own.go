package stack

// waitConditionType is the type that waits for signals.
const waitConditionType = "AWS::CloudFormation::WaitCondition"

// ownTypes are those of CloudFormation itself, and what says something to tools alone.
func ownTypes() map[string]*Type {
	return map[string]*Type{
		"AWS::CDK::Metadata": {
			Name: "AWS::CDK::Metadata", create: nothing, update: nothing, remove: nothing,
			plan: func(w *Work) string { return w.generate(128) },
		},
	}
}
