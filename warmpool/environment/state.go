package environment

import "fmt"

// A State is a phase in the life of an environment, in AWS's words.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
type State uint8

const (
	StateBoot     State = iota // the process starts, or has and is a stem: it has no function yet
	StateInit                  // the process loads the handler
	StateIdle                  // warm, waiting for an invocation
	StateInvoke                // at least one invocation is on its way
	StateShutdown              // asked to end, or broken; takes no invocation any more
	StateGone                  // the process and all it held are gone
)

// States are all states, in order of life.
var stateNames = [...]string{"boot", "init", "idle", "invoke", "shutdown", "gone"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// next holds, for each state, the states that may follow it, as bits.
var next = [...]uint8{
	StateBoot:     1<<StateInit | 1<<StateShutdown,
	StateInit:     1<<StateIdle | 1<<StateShutdown,
	StateIdle:     1<<StateInvoke | 1<<StateShutdown,
	StateInvoke:   1<<StateIdle | 1<<StateShutdown,
	StateShutdown: 1 << StateGone,
	StateGone:     0,
}

// transition moves *s to the state to, or fails and leaves it when that may not
// follow.
func transition(s *State, to State) error {
	if next[*s]&(1<<to) == 0 {
		return fmt.Errorf("environment: %s may not follow %s", to, *s)
	}
	*s = to
	return nil
}
