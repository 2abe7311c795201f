package tests

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// Areas run beside each other, so each of their tests says first how it takes part.
func TestEveryTestOfAnAreaSaysWhetherItNeedsQuiet(t *testing.T) {
	found := 0
	for _, area := range []string{"gateway", "apis", "runtimes", "sandbox", "api", "events", "sources", "cluster", "examples"} {
		files, err := filepath.Glob(area + "/*_test.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("no tests in %s: %v", area, err)
		}
		for _, file := range files {
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range parsed.Decls {
				f, ok := d.(*ast.FuncDecl)
				if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Test") || f.Name.Name == "TestMain" {
					continue
				}
				found++
				if callsParallel(f.Body) {
					t.Errorf("%s: %s has room, and waits for a turn of t.Parallel, which others have that wait for room", file, f.Name.Name)
				}
				if !takesPart(f.Body.List) {
					t.Errorf("%s: %s begins with none of harness.Parallel, harness.Quiet and harness.Serial", file, f.Name.Name)
				}
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d tests were found", found)
	}
}

// callsParallel reports whether t.Parallel is called by itself.
func callsParallel(body *ast.BlockStmt) (found bool) {
	ast.Inspect(body, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if s, ok := call.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Parallel" {
				receiver, _ := s.X.(*ast.Ident)
				found = found || receiver == nil || receiver.Name != "harness"
			}
		}
		return true
	})
	return found
}

// takesPart looks at the first call that is not harness.Slow.
func takesPart(body []ast.Stmt) bool {
	for _, statement := range body {
		e, ok := statement.(*ast.ExprStmt)
		if !ok {
			return false
		}
		call, ok := e.X.(*ast.CallExpr)
		if !ok {
			return false
		}
		s, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return false
		}
		switch s.Sel.Name {
		case "Slow":
		case "Parallel", "Quiet", "Serial":
			return true
		default:
			return false
		}
	}
	return false
}
