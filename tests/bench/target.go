package main

import (
	"regexp"
	"slices"
	"strings"
)

// stack is one way to answer a request: a Caddy of its own and what stands behind it.
type stack string

const (
	respondStack stack = "respond"
	proxyStack   stack = "reverse_proxy"
	hearthStack  stack = "hearth"
)

// greeting is what every target answers, 27 bytes.
const greeting = `{"message":"Hello, world!"}`

// The two that all others are compared with.
const (
	respondTarget = "respond"
	proxyTarget   = "reverse_proxy -> Node"
)

// target is one row of the table: something that answers the greeting.
type target struct {
	name     string
	stack    stack
	function function // of a target in hearthStack
}

// function is one `function` block of the Hearth Caddyfile; its route is its name.
type function struct {
	name        string
	runtime     string
	handler     string
	code        string // folder of assets
	concurrency int    // reserved_concurrency: as many environments as load asks for; 0: no limit
	alone       bool   // with a variable that keeps it from being made of a stem
}

// path is what the target answers at.
func (t target) path() string { return t.function.path() }

// path is below the folder that a function shares with those of its kind: Caddy tries
// the routes of a site one after the other, and a scenario has hundreds.
func (f function) path() string { return "/" + f.kind() + "/" + f.name }

// kind is the name without the number at its end.
func (f function) kind() string {
	if dash := strings.LastIndexByte(f.name, '-'); dash > 0 {
		return f.name[:dash]
	}
	return f.name
}

func warmTargets(m machine) []target {
	node := func(name string, processes int) function {
		return function{name, m.nodeRuntime(), "index.handler", "node", processes, false}
	}
	python := func(name string, processes int) function {
		return function{name, m.pythonRuntime(), "app.handler", "python", processes, false}
	}
	return []target{
		{name: respondTarget, stack: respondStack},
		{name: proxyTarget, stack: proxyStack},
		{"hearth Node x1", hearthStack, node("node-1", 1)},
		{"hearth Node x2", hearthStack, node("node-2", 2)},
		{"hearth Node x4", hearthStack, node("node-4", 4)},
		{"hearth Python x1", hearthStack, python("python-1", 1)},
		{"hearth Python x2", hearthStack, python("python-2", 2)},
	}
}

// selected keeps what --only names, of the group if there is one.
func selected(only *regexp.Regexp, group string, warm []target, scenarios []scenario) ([]target, []scenario) {
	warm = slices.DeleteFunc(warm, func(t target) bool { return group != "" || !only.MatchString(t.name) })
	scenarios = slices.DeleteFunc(scenarios, func(s scenario) bool { return group != "" && s.group != group || !only.MatchString(s.name) })
	return warm, scenarios
}
