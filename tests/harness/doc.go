// Package harness has what the black-box tests share: the built bin/caddy with a
// Caddyfile of the test's, real servers beside it (Redis, moto, Kafka, S3 stores in
// package objectstore), clients, and what waits for something that happens soon.
//
// The folders beside this one are the areas: gateway, runtimes, sandbox, api, events,
// sources, cluster and examples. A new test goes into the folder of its area; what a
// second area needs moves here. Each of them is two folders below the repository's
// root, and their paths begin there: bin/caddy is ../../bin/caddy.
package harness
