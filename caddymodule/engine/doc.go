// Package engine runs functions. It is all of Hearth but its face: caddymodule turns a
// configuration into Settings, and HTTP requests into calls; nothing here knows Caddy.
//
//	Open(Config) --> Engine               one for a data directory and its Redis
//	                  ├─ state, registry    functions that the API made, events, checkpoints
//	                  ├─ logs, code         log groups; archives, and the collection of old ones
//	                  ├─ machinery          sandbox, launcher and pool: one for each kind of sandbox
//	                  ├─ delivery           invoker, pollers, scheduler
//	                  ├─ cluster            this node among the others, if there is a Redis
//	                  └─ bodies             the memory for what waits
//	Prepare(Settings) --> Setup           checked; holds what it needs, and starts nothing
//	Apply(Setup) --> undo                 in force
//
// Settings are plain values: functions, schedules, event source mappings, limits, services.
// There are two steps because a server asks whether a configuration is good before it stops
// the one that runs. During a reload two setups are applied. The newest is in force: events,
// sources, schedules and calls of other nodes follow it, and so do the limits of the pool.
// Requests that came by the older one end by the older one. Both hold the same machinery,
// and the same warmpool.Group for each function that has not changed, so environments stay
// warm. An Apply that fails, or one that is undone because something else of the reload
// has failed, leaves the setup before in force, with its limits, functions, schedules,
// mappings and addresses.
//
// Calls go one way. Whoever waits asks Setup.Runner, which is the catalog of the setup; whoever
// does not (events, sources, the clock) asks the engine, which asks the setup in force, and
// the gateway for what is not defined here. The catalog hands calls to other nodes, but for
// the functions of the settings: other nodes do not have those.
//
// Things end in this order. With the last setup that has it, a machinery: first the pool,
// which sees calls through for ten seconds, then the shield, the watcher of code and the
// sandbox. With the engine:
//
//  1. the collection of code
//  2. machineries that somebody still holds
//  3. the scheduler, then the pollers: nothing new begins
//  4. the cluster: other nodes take over
//  5. the invoker, which settles the leases of what has run
//  6. the registry, the state, the logs, the code
//
// One mutex orders Prepare, Apply, undo, Release and Close; calls and events never take it.
package engine
