package insights

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hearthfn/hearth/warmpool/logs"
)

// Bounds of Fields.
const (
	// maxSampled is how many events are looked at.
	maxSampled = 10_000
	// maxNames is how many names JSON gives at most, as AWS's limit; further ones are left out.
	maxNames = 200
)

// A Name is a field that queries find, and in how many percent of the events.
type Name struct {
	Name    string `json:"name"`
	Percent int    `json:"percent"`
}

// everywhere are the fields that each event has.
var everywhere = []string{"@ingestionTime", "@log", "@logStream", "@message", "@ptr", "@timestamp"}

// Fields are the names of the fields that events of a time have, of the first 10,000 of them.
func Fields(ctx context.Context, g *logs.Group, from, to time.Time) ([]Name, error) {
	times := logs.Query{From: from, To: to}
	parts, err := g.Parts(ctx, times)
	if err != nil {
		return nil, err
	}
	counts := make(map[string]int)
	found := make(map[string]bool) // in JSON
	events := 0
	own := []string{"@requestId", "@type", "@duration", "@billedDuration", "@initDuration", "@memorySize", "@maxMemoryUsed", "@xrayTraceId", "@xraySegmentId"}
	finders := make([]func(*event) value, len(own))
	for n, name := range own {
		finders[n] = discover(name)
	}
	e := new(event)
	for _, p := range parts {
		_, err := p.Scan(ctx, times, logs.Needle{}, func(r *logs.Record) bool {
			events++
			e.record, e.text = r, r.Message
			for n, find := range finders {
				if find(e).kind != none {
					counts[own[n]]++
				}
			}
			if i := strings.IndexByte(r.Message, '{'); i >= 0 {
				clear(found)
				s := scan{text: r.Message, at: i}
				if s.names("", 0, found); !s.bad {
					for name := range found {
						if counts[name] > 0 || len(counts) < maxNames {
							counts[strings.Clone(name)]++
						}
					}
				}
			}
			return events < maxSampled
		})
		if err != nil {
			return nil, err
		}
		if events >= maxSampled {
			break
		}
	}
	if events == 0 {
		return []Name{}, nil
	}
	all := make([]Name, 0, len(counts)+len(everywhere))
	for _, name := range everywhere {
		all = append(all, Name{name, 100})
	}
	for name, n := range counts {
		all = append(all, Name{name, max(1, 100*n/events)})
	}
	slices.SortFunc(all, func(a, b Name) int {
		if a.Percent != b.Percent {
			return b.Percent - a.Percent
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all, nil
}

// names finds the names of the fields of an object, as jsonField takes them. Lists are fields as a
// whole.
func (s *scan) names(prefix string, depth int, found map[string]bool) {
	if s.space() != '{' || depth > maxJSONDepth {
		s.skip()
		return
	}
	s.at++
	for !s.bad {
		if s.space() == '}' {
			s.at++
			return
		}
		key := s.string()
		if s.bad || s.space() != ':' {
			s.bad = true
			return
		}
		s.at++
		name := prefix + key
		if strings.HasPrefix(name, "@") {
			name = "@" + name // as discover has it
		}
		if s.space() == '{' {
			s.names(name+".", depth+1, found)
		} else {
			s.skip()
			if len(found) < maxNames && key != "" {
				found[name] = true
			}
		}
		switch s.space() {
		case ',':
			s.at++
		case '}':
		default:
			s.bad = true
		}
	}
}
