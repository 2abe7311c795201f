package engine

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/engine/services"
	"github.com/hearthfn/hearth/caddymodule/lambdaapi/sigv4"
	"github.com/hearthfn/hearth/invoker"
	"github.com/hearthfn/hearth/invoker/schedule"
	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/logs"
	"github.com/hearthfn/hearth/warmpool/sandbox"
)

// Config says what an engine works on for its whole life.
type Config struct {
	Dir   string // the data directory
	Redis Redis
	Logs  logs.Config // its Dir and Keep are the engine's to fill in
	// BodyMemoryMB is how much memory bodies may have until settings are applied.
	BodyMemoryMB int
	Log          *zap.Logger
}

// Redis says where several nodes keep what they share. Without a URL this node is alone.
type Redis struct{ URL, Prefix string }

// drainTimeout is how long each part of the engine may see through what it is doing when
// it ends. The longest invocation takes 90 minutes; the server has had its own grace
// period before.
const drainTimeout = 10 * time.Second

// Settings are what one configuration asks of the engine. They are not changed once they
// are given to Prepare.
type Settings struct {
	Account function.Account

	Functions []Function // sorted by name; normalized
	Schedules []schedule.Schedule
	Mappings  []registry.Mapping

	Pool         warmpool.Config // its Slots and Alone are the engine's to fill in
	Async        invoker.Limits
	BodyMemoryMB int

	Interpreters map[string]string // by runtime
	Sandbox      sandbox.Config
	Network      function.NetworkDefault
	// NetworkNamed says that somebody asked for Network: it is not given up where it cannot
	// be had.
	NetworkNamed bool
	// HostNetwork says why no environment may have the machine's network; "": it may.
	HostNetwork string

	// ClusterSecret is what the nodes that share a Redis know and Redis does not; "": the
	// first node makes one, in its data directory.
	ClusterSecret string
	// Unprotected allows a Redis that asks for no password.
	Unprotected bool

	Services   services.Config
	AccessKeys []sigv4.Key // beside that of the data directory
	Ignore     []string    // settings of functions that the Lambda API keeps though nothing acts on them

	Node        string // the name of this node; "": one is made
	PeerAddress string // HOST:PORT where other nodes reach this one; "": it is found out

	Metrics prometheus.Registerer // gets what is counted
	Log     *zap.Logger
}

// A Function is one that the settings define, and what becomes of its events.
type Function struct {
	*function.Function
	Events invoker.Settings
}

// Addresses are where this server is found on its machine. They are written to the data
// directory, for `caddy hearth`.
type Addresses struct {
	API   string // of the Lambda API; "" for none
	Admin string // of the admin endpoint; "" for none
}
