package vtl

import (
	"errors"
	"strings"
)

// A definition is #define: its nodes run wherever its name stands.
type definition struct {
	name  string
	nodes []node
}

var errRecursion = errors.New("the definitions of the template are nested too deep")

// definition reads #define($x) ... #end. Variables in it may be set later than it is written.
func (p *parser) definition() (node, error) {
	if err := p.expect('('); err != nil {
		return nil, err
	}
	if p.space(); p.at == len(p.text) || p.text[p.at] != '$' {
		return nil, p.fail("#define needs a variable")
	}
	p.at++
	d := &definition{name: p.name()}
	for _, name := range builtins {
		if d.name == name {
			d.name = ""
		}
	}
	if d.name == "" {
		return nil, p.fail("#define needs a variable of its own")
	}
	if err := p.expect(')'); err != nil {
		return nil, err
	}
	p.set[d.name] = true
	outer := p.defining
	p.defining = true
	nodes, end, err := p.block()
	p.defining = outer
	if err != nil {
		return nil, err
	}
	if end != "end" {
		return nil, p.fail("#define without #end")
	}
	d.nodes = nodes
	return d, nil
}

func (d *definition) run(x *execution) error {
	x.local[d.name] = d
	return x.spend(1)
}

// render is what the definition writes.
func (d *definition) render(x *execution) (any, error) {
	if x.depth++; x.depth > maxDepth {
		return nil, errRecursion
	}
	defer func() { x.depth-- }()
	if err := x.spend(1 + len(d.nodes)); err != nil {
		return nil, err
	}
	outer := x.out.Text
	x.out.Text = nil
	err := x.all(d.nodes)
	made := string(x.out.Text)
	x.out.Text = outer
	return made, err
}

// object makes one of the variables that templates list, once in a run.
func (x *execution) object(name string, fill func(of map[string]any)) any {
	of := x.objects[name]
	if of == nil {
		of = make(map[string]any)
		fill(of)
		if x.objects == nil {
			x.objects = make(map[string]map[string]any)
		}
		x.objects[name] = of
	}
	return of
}

func (x *execution) authorizer() any {
	return x.object("authorizer", func(of map[string]any) {
		value, _ := parseJSON(x.in.Authorizer)
		object, _ := value.(map[string]any)
		for name, value := range object {
			of[name] = value
		}
	})
}

func (x *execution) identity() any {
	return x.object("identity", func(of map[string]any) {
		for name, value := range x.in.Context {
			if name, found := strings.CutPrefix(name, "identity."); found {
				of[name] = value
			}
		}
	})
}

func (x *execution) stageVariables() any {
	return x.object("stageVariables", func(of map[string]any) {
		for name, value := range x.in.StageVariables {
			of[name] = value
		}
	})
}

// parameters is $input.params(): the parameters of the path, the query and the header, the last of
// those that come several times.
func (x *execution) parameters() any {
	return x.object("parameters", func(of map[string]any) {
		path, query, header := make(map[string]any), make(map[string]any), make(map[string]any)
		for name, value := range x.in.Path {
			path[name] = value
		}
		for name := range x.in.Query {
			query[name] = x.in.query(name)
		}
		for name := range x.in.Header {
			header[name] = x.in.header(name)
		}
		of["path"], of["querystring"], of["header"] = path, query, header
	})
}
