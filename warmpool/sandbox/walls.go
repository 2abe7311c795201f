package sandbox

// Walls is what keeps environments apart on this machine, beyond what New insists on.
type Walls struct {
	Users   bool   // each environment runs as a user of its own
	Cgroups int    // the version of the cgroups that hold environments to their limits; 0: none
	Stems   bool   // processes can boot before they are of a function
	Network error  // why environments have no network of their own; nil when they have
	Freezer string // how they are frozen between invocations: FreezerCgroup or FreezerSignals
}

// Walls tells what was found. It makes what a private network takes, as the first
// function does that has one.
func (s *Sandbox) Walls() Walls {
	w := Walls{Users: s.identities != nil || s.lent != nil, Stems: s.canAssume, Network: s.Private(), Freezer: s.Freezer()}
	if s.cgroups != nil {
		w.Cgroups = s.cgroups.Version()
	}
	return w
}
