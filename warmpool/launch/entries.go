package launch

import (
	"encoding/json"
	"maps"
	"slices"
)

// entries are what functions have loaded from an SDK, in the words of their runtime: names of
// modules, and of descriptions of services. The zygote loads them ahead. Functions may say what
// they like, so it is known who has named what: if the zygote fails with it, the others do
// not suffer.
type entries struct {
	known   map[string]string // name: the code that has named it first
	size    int               // as JSON
	good    map[string]bool   // names with which a zygote has worked
	lessons map[string]lesson // by code
}

// A lesson is what has been learnt from one code.
type lesson struct {
	names    int // of known
	times    int
	excluded bool // the zygote has failed with its names
}

func newEntries() *entries {
	return &entries{known: make(map[string]string), good: make(map[string]bool), lessons: make(map[string]lesson)}
}

// names are all that the zygote is to load.
func (e *entries) names() []string { return slices.Sorted(maps.Keys(e.known)) }

// learn adds what the functions of a code have loaded, within bounds.
func (e *entries) learn(code string, names []string) {
	of, known := e.lessons[code]
	if of.excluded || of.times >= maxLessons || !known && len(e.lessons) >= maxUsers {
		return
	}
	before := of.names
	for _, name := range names {
		if of.names < maxEntriesOfCode && e.add(code, name) {
			of.names++
		}
	}
	if of.names > before {
		of.times++
		e.lessons[code] = of
	}
}

func (e *entries) add(code, name string) bool {
	if _, known := e.known[name]; known || name == "" || len(e.known) >= maxEntries {
		return false
	}
	text, err := json.Marshal(name)
	if err != nil || e.size+len(text)+1 > maxEntriesSize {
		return false
	}
	e.known[name] = code
	e.size += len(text) + 1
	return true
}

// praise is told that a zygote with these names works.
func (e *entries) praise(names []string) {
	if len(e.good) == len(names) {
		return // most likely the same
	}
	clear(e.good)
	for _, name := range names {
		e.good[name] = true
	}
}

// blame is told that a zygote with these names failed. It forgets those with which none has worked
// before, and excludes the codes that have named them. It returns how many codes that are.
func (e *entries) blame(names []string) int {
	blamed := 0
	for _, name := range names {
		code, known := e.known[name]
		if !known || e.good[name] {
			continue
		}
		if of := e.lessons[code]; !of.excluded {
			of.excluded = true
			e.lessons[code] = of
			blamed++
		}
	}
	for name, code := range e.known {
		if e.lessons[code].excluded && !e.good[name] {
			delete(e.known, name)
			if text, err := json.Marshal(name); err == nil {
				e.size -= len(text) + 1
			}
		}
	}
	return blamed
}
