package engine

import (
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi/passage"
)

// Passage passes calls on to the services of the settings that have an address of their own.
func (s *Setup) Passage(log *zap.Logger) (*passage.Passage, error) {
	verifier, err := s.Verifier()
	if err != nil {
		return nil, err
	}
	backends := make(map[string]*passage.Backend)
	for name, of := range s.services.Passed() {
		backends[name] = &passage.Backend{Endpoint: of.Address(), Region: of.Region, CredentialsProvider: of}
	}
	s.calls.passage = passage.New(passage.Config{
		Backends: backends, Verifier: verifier, Access: s.Access(), Account: s.Account, Bodies: s.engine.bodies, Refusals: &s.refusals, Log: log,
	})
	return s.calls.passage, nil
}
