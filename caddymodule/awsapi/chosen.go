package awsapi

import "context"

type chosenKey struct{}

// WithID makes a context whose call makes something of the ID, in place of one that the service
// makes. It is for calls of the program itself, which write the ID down before.
func WithID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, chosenKey{}, id)
}

// ChosenID is the ID that a call was given, or else the other.
func ChosenID(ctx context.Context, otherwise string) string {
	if id, ok := ctx.Value(chosenKey{}).(string); ok {
		return id
	}
	return otherwise
}
