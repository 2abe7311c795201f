package stack

import (
	"context"
	"maps"
)

// newTypes makes the types of resources, by name.
func newTypes() map[string]*Type {
	all := make(map[string]*Type)
	for _, family := range []map[string]*Type{lambdaTypes(), iamTypes(), logsTypes(), ssmTypes(), cloudWatchTypes(), ownTypes(), apiGatewayV2Types(), apiGatewayTypes(), eventTypes(), s3Types(), scalingTypes(), passedTypes()} {
		maps.Copy(all, family)
	}
	return all
}

func nothing(context.Context, *Work) error { return nil }

// ignored stands for types that the configuration says to ignore.
var ignored = &Type{
	Name: "ignored", create: nothing, update: nothing, remove: nothing,
	plan: func(w *Work) string { return w.generate(128) },
}

// typedAll makes types of descriptions.
func typedAll(specs map[string]*spec) map[string]*Type {
	all := make(map[string]*Type, len(specs))
	for name, s := range specs {
		all[name] = s.typed(name)
	}
	return all
}
