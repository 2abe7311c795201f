package stack

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"
)

// A client that sees the end of an operation begins the next at once, on any node.
func TestAnOperationRightAfterAnotherIsDoneAtOnce(t *testing.T) {
	store, key := openStore(t), bytes.Repeat([]byte{1}, 32)
	nodes := []*Engine{engineOn(t, store, func() []byte { return key }), engineOn(t, store, func() []byte { return key })}
	request := func(n int) *Request {
		return &Request{Name: "s", Body: hiddenTemplate, Given: Given{Values: map[string]string{"P": "pearl", "O": fmt.Sprint(n)}}, Direct: true}
	}
	s, err := nodes[0].Create(t.Context(), request(0))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	changed, err := store.Watch(ctx, owner(s.ID))
	if err != nil {
		t.Fatal(err)
	}
	for n := range 40 {
		for {
			now, err := nodes[1].Stack(ctx, s.ID)
			if err != nil {
				t.Fatalf("after %d updates: %v", n, err)
			}
			if !now.Busy() {
				break
			}
			select {
			case <-changed:
			case <-ctx.Done():
				t.Fatalf("after %d updates the stack is %s, and nobody works on it", n, now.Status)
			}
		}
		if _, err := nodes[n/2%2].Update(ctx, request(n+1)); err != nil {
			t.Fatalf("update %d: %v", n, err)
		}
	}
}
