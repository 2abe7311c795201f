package engine

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/caddymodule/engine/services"
	"github.com/hearthfn/hearth/invoker"
	"github.com/hearthfn/hearth/invoker/schedule"
	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/logs"
	"github.com/hearthfn/hearth/warmpool/sandbox"
	"github.com/hearthfn/hearth/warmpool/trace"
)

// Config says what an engine works on for its whole life.
type Config struct {
	Dir   string // the data directory
	Redis Redis
	Logs  logs.Config // the engine sets its Dir and Keep
	// BodyMemoryMB is how much memory request bodies may take until settings are applied.
	BodyMemoryMB int
	Log          *zap.Logger
}

// Redis says where several nodes have their common state. Without a URL this node is alone.
type Redis struct{ URL, Prefix string }

// drainTimeout is how long each part of the engine may finish its work when the engine ends.
// The longest invocation takes 90 minutes. But the server had its own grace period before.
const drainTimeout = 10 * time.Second

// Settings are what one configuration asks of the engine. Nobody changes them after they were
// given to Prepare.
type Settings struct {
	Account function.Account

	Functions []Function // sorted by name; normalized
	Schedules []schedule.Schedule
	Mappings  []registry.Mapping

	Pool         warmpool.Config // the engine sets its Slots and Alone
	Async        invoker.Limits
	BodyMemoryMB int
	CodeStorage  int64 // bytes of all code that the API keeps; 0: the default

	Interpreters map[string]string // by runtime
	CompileCache bool              // code is compiled ahead of cold starts
	Zygotes      string            // which stems are forked, see package launch
	Sandbox      sandbox.Config
	Network      function.NetworkDefault
	// NetworkNamed is set if the configuration names Network. Then functions do not go without
	// it on a machine that cannot provide it.
	NetworkNamed bool
	// HostNetwork says why no environment may have the machine's network; "": it may.
	HostNetwork string

	// ClusterSecret is what the nodes that share a Redis know and Redis does not; "": the
	// first node makes one, in its data directory.
	ClusterSecret string
	// Unprotected allows a Redis that asks for no password.
	Unprotected bool

	Services   services.Config
	AccessKeys []sigv4.Key   // beside that of the data directory
	Spans      *trace.Source // of deliveries and batches; nil: they are not traced
	RolesOff   bool          // roles may do everything, whatever their policies say
	Ignore     []string      // settings of functions that the Lambda API stores though nothing acts on them

	IgnoreResources []string // types of resources of stacks of which nothing is made

	Node        string // the name of this node; "": one is made
	PeerAddress string // HOST:PORT where other nodes reach this one; "": the engine finds it

	// HasAPI is set if a site has the Lambda API, which makes functions.
	HasAPI bool

	Metrics prometheus.Registerer // gets the metrics
	Log     *zap.Logger
}

// A Function is a function that the settings define, and how its events are delivered.
type Function struct {
	*function.Function
	Events invoker.Settings
}

// Addresses are those of this server on its machine. The engine writes them to the data
// directory, for `caddy hearth`.
type Addresses struct {
	API   string // of the Lambda API; "" for none
	Admin string // of the admin endpoint; "" for none
}
