package engine

import (
	"context"
	"fmt"

	"github.com/hearthfn/hearth/invoker"
	"github.com/hearthfn/hearth/invoker/pull"
	"github.com/hearthfn/hearth/invoker/schedule"
	"github.com/hearthfn/hearth/warmpool/runtimes"
	"github.com/hearthfn/hearth/warmpool/state"
)

// What the admin endpoint answers, and the CLI reads.
type (
	// A NodeList lists the live nodes that use one Redis.
	NodeList struct {
		Self  string       `json:"self"` // the name of the node that answers, "" if it is alone
		Nodes []state.Node `json:"nodes"`
	}

	// A ScheduleList lists the schedules that run, and when.
	ScheduleList struct {
		Schedules []schedule.Listed `json:"schedules"`
	}

	// A ConfiguredAPIList lists the APIs of the configuration.
	ConfiguredAPIList struct {
		APIs []ConfiguredAPI `json:"apis"`
		More bool            `json:"more,omitempty"` // there are more than the list has
	}

	// A ConfiguredAPI is an API of a directive api or websocket.
	ConfiguredAPI struct {
		Name      string            `json:"name"`
		Protocol  string            `json:"protocol"`  // HTTP, REST or WEBSOCKET, as AWS names it
		Addresses []string          `json:"addresses"` // of its sites, with the path
		Routes    []ConfiguredRoute `json:"routes"`
	}

	// A ConfiguredRoute is a route of such an API. A function, servers or a mock answer.
	ConfiguredRoute struct {
		Route      string   `json:"route"`                 // GET /pets/{id}
		Function   string   `json:"function,omitempty"`    // NAME or NAME:QUALIFIER
		Servers    []string `json:"servers,omitempty"`     // HOST:PORT
		Mock       bool     `json:"mock,omitempty"`        // it answers by itself
		Authorizer string   `json:"authorizer,omitempty"`  // its name; "": see IAM
		IAM        bool     `json:"iam,omitempty"`         // requests are signed by an access key
		UsagePlans []string `json:"usage_plans,omitempty"` // whose API keys it takes
	}

	// A LagList lists how far behind the streams are that this node reads.
	LagList struct {
		Sources []pull.Lag `json:"sources"`
	}

	// Drained reports whether the node drains.
	Drained struct {
		Draining bool `json:"draining"`
	}

	// An EventPage is a page of the events that wait, or of the dead ones.
	EventPage struct {
		Events []invoker.Event `json:"events"`
		Next   string          `json:"next,omitempty"` // the after of the next page
	}

	// An EventCount is how many events a request was about.
	EventCount struct {
		Events int `json:"events"`
	}
)

// Running reports whether settings are in force.
func (e *Engine) Running() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.applied) > 0
}

// Invoker stores and delivers events; nil until the first settings are applied.
func (e *Engine) Invoker() *invoker.Invoker {
	if d := e.delivery.Load(); d != nil {
		return d.invoker
	}
	return nil
}

// Schedules lists the schedules that run, and when.
func (e *Engine) Schedules() []schedule.Listed {
	if d := e.delivery.Load(); d != nil {
		return d.scheduler.List()
	}
	return []schedule.Listed{}
}

// Lags lists how far behind the event sources are that this node reads: streams and Kafka.
func (e *Engine) Lags() LagList {
	if d := e.delivery.Load(); d != nil {
		return LagList{d.puller.Lags()}
	}
	return LagList{[]pull.Lag{}}
}

// ConfiguredAPIs lists the APIs of the configuration in force. Those that AWS's API made are not
// among them.
func (e *Engine) ConfiguredAPIs() ConfiguredAPIList {
	if s := e.current.Load(); s != nil && s.ConfiguredAPIs != nil {
		return s.ConfiguredAPIs()
	}
	return ConfiguredAPIList{APIs: []ConfiguredAPI{}}
}

// Nodes lists the live nodes that use the same Redis; none if this node is alone.
func (e *Engine) Nodes() NodeList {
	if c := e.cluster.Load(); c != nil {
		return NodeList{Self: c.Self().Name, Nodes: c.Members()}
	}
	return NodeList{Nodes: []state.Node{}}
}

// Drain stops this node from taking calls of other nodes and more events, and from polling
// sources, until it is called with false.
func (e *Engine) Drain(ctx context.Context, on bool) error {
	if d := e.delivery.Load(); d != nil {
		d.invoker.Pause(on)
		d.puller.Pause(on)
	}
	if c := e.cluster.Load(); c != nil {
		if err := c.Drain(ctx, on); err != nil {
			return fmt.Errorf("tell the other nodes: %w", err)
		}
	}
	return nil
}

// Runtimes says what serves each runtime on this node, by the settings in force. It may take
// a second, because it starts each interpreter once to ask for its version.
func (e *Engine) Runtimes() []runtimes.Status {
	return e.current.Load().machinery.launcher.Interpreters.Statuses()
}
