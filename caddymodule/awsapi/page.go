package awsapi

import "sort"

// Page cuts items, which are in the order of their keys, to up to limit of them that come
// after the key after; "" is before all. next is the key to go on with, "" at the end.
func Page[T any](items []T, key func(T) string, after string, limit int) (page []T, next string) {
	if after != "" {
		items = items[sort.Search(len(items), func(n int) bool { return key(items[n]) > after }):]
	}
	if len(items) <= limit {
		return items, ""
	}
	return items[:limit], key(items[limit-1])
}
