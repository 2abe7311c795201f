package template

import (
	"slices"
	"strings"
	"sync"
)

// secrets are values that are shown to nobody: of parameters with NoEcho, of dynamic references to
// what is kept secret, and of custom resources that say so.
type secrets struct {
	mu  sync.Mutex
	all []string // guarded by mu
}

func (s *secrets) add(value string) {
	if value == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.all, value) {
		s.all = append(s.all, value)
	}
}

// within adds the secrets that a text has to found.
func (s *secrets) within(text string, found *[]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.all {
		if strings.Contains(text, one) && !slices.Contains(*found, one) {
			*found = append(*found, one)
		}
	}
}

// Hide keeps a value secret; each element of a list, each member of a map.
func (p *Plan) Hide(value any) {
	switch v := value.(type) {
	case string:
		p.secrets.add(v)
	case []string:
		for _, inner := range v {
			p.secrets.add(inner)
		}
	case []any:
		for _, inner := range v {
			p.Hide(inner)
		}
	case map[string]any:
		for _, inner := range v {
			p.Hide(inner)
		}
	}
}

// Secrets are the secrets that a value has, which [Plan.Properties] made.
func (p *Plan) Secrets(value any) (found []string) {
	p.gather(value, &found)
	return found
}

// Secret reports whether a value has a secret.
func (p *Plan) Secret(value any) bool { return len(p.Secrets(value)) > 0 }

func (p *Plan) gather(value any, found *[]string) {
	switch v := value.(type) {
	case string:
		p.secrets.within(v, found)
	case []any:
		for _, inner := range v {
			p.gather(inner, found)
		}
	case map[string]any:
		for name, inner := range v {
			p.secrets.within(name, found)
			p.gather(inner, found)
		}
	}
}

// leastRedacted is how short a secret is that is left in a text: to replace one letter by stars
// would tell where it stands.
const leastRedacted = 4

// Redact replaces secrets in a text by stars.
func Redact(text string, secrets []string) string {
	// The longest first: what is left of one that has another in it would be shown.
	secrets = slices.SortedFunc(slices.Values(secrets), func(a, b string) int { return len(b) - len(a) })
	for _, one := range secrets {
		if len(one) >= leastRedacted {
			text = strings.ReplaceAll(text, one, "****")
		}
	}
	return text
}

// Redact replaces the secrets of the plan in a text by stars.
func (p *Plan) Redact(text string) string { return Redact(text, p.Secrets(text)) }

// Masked is a copy of properties with stars for each text that has a secret.
func (p *Plan) Masked(properties map[string]any) map[string]any {
	if properties == nil {
		return nil
	}
	return p.masked(properties).(map[string]any)
}

func (p *Plan) masked(value any) any {
	switch v := value.(type) {
	case string:
		if p.Secret(v) {
			return "****"
		}
	case []any:
		out := make([]any, len(v))
		for n, inner := range v {
			out[n] = p.masked(inner)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, inner := range v {
			if p.Secret(name) {
				name = "****"
			}
			out[name] = p.masked(inner)
		}
		return out
	}
	return value
}
