package boltstore

import "context"

// Watch implements state.Records.
func (s *Store) Watch(ctx context.Context, prefix string) (<-chan string, error) {
	return s.records.Watch(ctx, prefix, s.closedError())
}

// Ready implements state.Queue.
func (s *Store) Ready(ctx context.Context) (<-chan string, error) {
	return s.ready.Watch(ctx, "", s.closedError())
}
