// Package engine runs functions. It is all of Hearth but its face: caddymodule turns a
// configuration into Settings, and HTTP requests into calls; nothing here knows Caddy.
//
//	Open(Config) --> Engine               one for a data directory and its Redis
//	                  ├─ state, registry    functions that the API made, events, checkpoints
//	                  ├─ logs, code         log groups; archives, and the collection of old ones
//	                  ├─ machinery          sandbox, launcher and pool: one for each kind of sandbox
//	                  ├─ delivery           invoker, pollers, scheduler, scaler
//	                  ├─ cluster            this node among the others, if there is a Redis
//	                  ├─ sockets            the connections of WebSocket APIs
//	                  └─ bodies             the memory for what waits
//	Prepare(Settings) --> Setup           checked; retains what it needs, and starts nothing
//	Apply(Setup) --> undo                 in force
//
// Settings are plain values: functions, schedules, event source mappings, limits, services.
// There are two steps because a server checks a new configuration before it stops the one
// that runs. During a reload two setups are applied. The newest is in force: events,
// sources, schedules and calls of other nodes follow it, and so do the limits of the pool.
// Requests that arrived under the older setup end under it. Both setups retain the same
// machinery, and the same warmpool.Group for each function that has not changed, so
// environments stay warm. If Apply fails, or is undone because another step of the reload
// failed, the setup before stays in force, with its limits, functions, schedules, mappings
// and addresses.
//
// Calls take one of two ways. A caller that waits calls Setup.Runner, which is the catalog of
// the setup. A caller that does not wait (events, sources, the clock) calls the engine. The
// engine calls the setup in force, or the gateway for functions that are not defined here.
// The catalog passes calls to other nodes, except calls of the functions of the settings:
// other nodes do not have those.
//
// Parts end in this order. A machinery ends with the last setup that retains it: first the
// pool, which gives calls ten seconds to end, then the shield, the watcher of code and the
// sandbox. The engine ends:
//
//  1. the collection of code
//  2. the sockets, whose functions of $disconnect run
//  3. machineries that a setup still retains
//  4. the scaler and the scheduler, then the pollers: nothing new begins
//  5. the cluster: other nodes take over
//  6. the invoker, which ends the leases of the events that have run
//  7. the registry, the state, the queries of logs, the logs, the code
//
// One mutex orders Prepare, Apply, undo, Release and Close; calls and events never take it.
package engine
