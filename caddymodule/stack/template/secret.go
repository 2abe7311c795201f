package template

import (
	"strings"
	"sync"
)

// secrets are values that are shown to nobody: of parameters with NoEcho, and of dynamic references
// to what is kept secret.
type secrets struct {
	mu  sync.Mutex
	all []string // guarded by mu
}

func (s *secrets) add(value string) {
	if value == "" {
		return
	}
	s.mu.Lock()
	s.all = append(s.all, value)
	s.mu.Unlock()
}

func (s *secrets) within(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.all {
		if strings.Contains(text, one) {
			return true
		}
	}
	return false
}

// hide keeps a value secret; each element of a list.
func (p *Plan) hide(value any) {
	switch v := value.(type) {
	case string:
		p.secrets.add(v)
	case []any:
		for _, inner := range v {
			p.hide(inner)
		}
	}
}

// Secret reports whether a value that [Plan.Properties] made has a secret in it: the value of a
// parameter with NoEcho, or of a secure dynamic reference.
func (p *Plan) Secret(value any) bool {
	switch v := value.(type) {
	case string:
		return p.secrets.within(v)
	case []any:
		for _, inner := range v {
			if p.Secret(inner) {
				return true
			}
		}
	case map[string]any:
		for name, inner := range v {
			if p.secrets.within(name) || p.Secret(inner) {
				return true
			}
		}
	}
	return false
}
