package lambda

// operations are those that are answered.
var operations = map[string]operation{
	"Invoke":                   invoke,
	"InvokeAsync":              invokeAsync,
	"InvokeWithResponseStream": invokeWithResponseStream,

	"CreateFunction":              answer(createFunction),
	"GetFunction":                 answer(getFunction),
	"ListFunctions":               answer(listFunctions),
	"DeleteFunction":              deleteFunction,
	"UpdateFunctionCode":          answer(updateFunctionCode),
	"GetFunctionConfiguration":    answer(getFunctionConfiguration),
	"UpdateFunctionConfiguration": answer(updateFunctionConfiguration),
	"GetAccountSettings":          answer(getAccountSettings),

	"PublishVersion":         answer(publishVersion),
	"ListVersionsByFunction": answer(listVersionsByFunction),

	"CreateAlias": answer(createAlias),
	"GetAlias":    answer(getAlias),
	"ListAliases": answer(listAliases),
	"UpdateAlias": answer(updateAlias),
	"DeleteAlias": answer(deleteAlias),

	"PublishLayerVersion":          answer(publishLayerVersion),
	"GetLayerVersion":              answer(getLayerVersion),
	"GetLayerVersionByArn":         answer(getLayerVersionByARN),
	"ListLayers":                   answer(listLayers),
	"ListLayerVersions":            answer(listLayerVersions),
	"DeleteLayerVersion":           answer(deleteLayerVersion),
	"AddLayerVersionPermission":    answer(addLayerVersionPermission),
	"GetLayerVersionPolicy":        answer(getLayerVersionPolicy),
	"RemoveLayerVersionPermission": answer(removeLayerVersionPermission),

	"PutFunctionConcurrency":    answer(putFunctionConcurrency),
	"GetFunctionConcurrency":    answer(getFunctionConcurrency),
	"DeleteFunctionConcurrency": answer(deleteFunctionConcurrency),

	"PutProvisionedConcurrencyConfig":    answer(putProvisionedConcurrencyConfig),
	"GetProvisionedConcurrencyConfig":    answer(getProvisionedConcurrencyConfig),
	"ListProvisionedConcurrencyConfigs":  answer(listProvisionedConcurrencyConfigs),
	"DeleteProvisionedConcurrencyConfig": answer(deleteProvisionedConcurrencyConfig),

	"CreateFunctionUrlConfig": answer(createFunctionURLConfig),
	"GetFunctionUrlConfig":    answer(getFunctionURLConfig),
	"ListFunctionUrlConfigs":  answer(listFunctionURLConfigs),
	"UpdateFunctionUrlConfig": answer(updateFunctionURLConfig),
	"DeleteFunctionUrlConfig": answer(deleteFunctionURLConfig),

	"PutFunctionEventInvokeConfig":    answer(putFunctionEventInvokeConfig),
	"UpdateFunctionEventInvokeConfig": answer(updateFunctionEventInvokeConfig),
	"GetFunctionEventInvokeConfig":    answer(getFunctionEventInvokeConfig),
	"ListFunctionEventInvokeConfigs":  answer(listFunctionEventInvokeConfigs),
	"DeleteFunctionEventInvokeConfig": answer(deleteFunctionEventInvokeConfig),

	"AddPermission":    answer(addPermission),
	"GetPolicy":        answer(getPolicy),
	"RemovePermission": answer(removePermission),

	"TagResource":   answer(tagResource),
	"UntagResource": answer(untagResource),
	"ListTags":      answer(listTags),

	"CreateEventSourceMapping": answer(createEventSourceMapping),
	"GetEventSourceMapping":    answer(getEventSourceMapping),
	"ListEventSourceMappings":  answer(listEventSourceMappings),
	"UpdateEventSourceMapping": answer(updateEventSourceMapping),
	"DeleteEventSourceMapping": answer(deleteEventSourceMapping),

	"PutRuntimeManagementConfig": answer(putRuntimeManagementConfig),
	"GetRuntimeManagementConfig": answer(getRuntimeManagementConfig),
	"PutFunctionRecursionConfig": answer(putFunctionRecursionConfig),
	"GetFunctionRecursionConfig": answer(getFunctionRecursionConfig),

	"CreateCodeSigningConfig":          answer(createCodeSigningConfig),
	"GetCodeSigningConfig":             answer(getCodeSigningConfig),
	"ListCodeSigningConfigs":           answer(listCodeSigningConfigs),
	"UpdateCodeSigningConfig":          answer(updateCodeSigningConfig),
	"DeleteCodeSigningConfig":          answer(deleteCodeSigningConfig),
	"PutFunctionCodeSigningConfig":     answer(putFunctionCodeSigningConfig),
	"GetFunctionCodeSigningConfig":     answer(getFunctionCodeSigningConfig),
	"DeleteFunctionCodeSigningConfig":  answer(deleteFunctionCodeSigningConfig),
	"ListFunctionsByCodeSigningConfig": answer(listFunctionsByCodeSigningConfig),
}

const (
	noCapacity = "functions run on this machine, there are no capacity providers"
	noDurable  = "there are no durable executions here"
)

// unsupported says of the other operations why not.
var unsupported = map[string]string{
	"CreateCapacityProvider":                 noCapacity,
	"GetCapacityProvider":                    noCapacity,
	"ListCapacityProviders":                  noCapacity,
	"UpdateCapacityProvider":                 noCapacity,
	"DeleteCapacityProvider":                 noCapacity,
	"ListFunctionVersionsByCapacityProvider": noCapacity,
	"GetFunctionScalingConfig":               noCapacity,
	"PutFunctionScalingConfig":               noCapacity,

	"CheckpointDurableExecution":            noDurable,
	"GetDurableExecution":                   noDurable,
	"GetDurableExecutionHistory":            noDurable,
	"GetDurableExecutionState":              noDurable,
	"ListDurableExecutionsByFunction":       noDurable,
	"StopDurableExecution":                  noDurable,
	"SendDurableExecutionCallbackSuccess":   noDurable,
	"SendDurableExecutionCallbackFailure":   noDurable,
	"SendDurableExecutionCallbackHeartbeat": noDurable,
}
