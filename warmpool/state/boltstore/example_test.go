package boltstore_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/hearthfn/hearth/warmpool/state"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
)

// A dispatcher leases what is due, works, and says how it ended.
func Example() {
	dir, err := os.MkdirTemp("", "state")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := boltstore.Open(boltstore.Config{Path: filepath.Join(dir, "state.db")})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	ctx := context.Background()

	// Answered means kept: a crash from here on loses nothing.
	if _, err := store.Push(ctx, "function/thumb", state.Item{Body: []byte("photo.jpg")}); err != nil {
		log.Fatal(err)
	}
	leases, _, err := store.Lease(ctx, state.Want{Max: 10, For: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	for _, lease := range leases {
		fmt.Printf("%s: %s\n", lease.Group, lease.Body)
		// The function failed: again in a minute.
		lease.At, lease.Attempts = time.Now().Add(time.Minute), lease.Attempts+1
		if err := store.Retry(ctx, lease); err != nil {
			log.Fatal(err)
		}
	}
	_, next, err := store.Lease(ctx, state.Want{Max: 10, For: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the next one in", time.Until(next).Round(time.Minute))
	// Output:
	// function/thumb: photo.jpg
	// the next one in 1m0s
}
