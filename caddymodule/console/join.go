package console

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"strings"
)

// The forms of import and export that the page's modules have. Each import is one line of its own,
// but that of a vendored file, which begins the file.
var (
	importForm  = regexp.MustCompile(`(?m)^import ?(\{[^}]*\}|\w+) ?from ?['"]([^'"]+)['"];\n?`)
	exportForm  = regexp.MustCompile(`(?m)^export ((?:const|class|(?:async )?function\*?) (\w+))`)
	exportList  = regexp.MustCompile(`export ?\{([^}]*)\};`)
	exportFirst = regexp.MustCompile(`(?m)(^|;)export default function`)
	moduleForm  = regexp.MustCompile(`(?m)^(import|export)\b|;(import|export)[ {]`)
	sourceMap   = regexp.MustCompile(`(?m)^//# sourceMappingURL=.*$\n?`)
)

// A joiner makes one file of modules that import one another, so that a browser asks once instead
// of once for each. A module becomes a function that runs once, before those that import it, and
// returns what the module exports. So no module may export what it sets again later, and none may
// import itself by others.
type joiner struct {
	files map[string][]byte
	out   bytes.Buffer
	known map[string]string // the constant of a module, by its name; "" while it is being written
	done  int
}

// join is a module with all that it imports.
func join(files map[string][]byte, first string) ([]byte, error) {
	j := joiner{files: files, known: make(map[string]string)}
	if err := j.add(first); err != nil {
		return nil, err
	}
	return j.out.Bytes(), nil
}

func (j *joiner) add(name string) error {
	switch constant, begun := j.known[name]; {
	case constant != "":
		return nil
	case begun:
		return fmt.Errorf("%s imports itself by others", name)
	}
	text, found := j.files[name]
	if !found {
		return fmt.Errorf("there is no module %s", name)
	}
	j.known[name] = ""
	var err error
	text = importForm.ReplaceAllFunc(text, func(statement []byte) []byte {
		parts := importForm.FindSubmatch(statement)
		from := resolve(name, string(parts[2]))
		if failed := j.add(from); failed != nil {
			err = failed
			return nil
		}
		names := strings.ReplaceAll(string(parts[1]), " as ", ": ")
		if !strings.HasPrefix(names, "{") {
			names = "{ default: " + names + " }"
		}
		return []byte("const " + names + " = " + j.known[from] + ";\n")
	})
	if err != nil {
		return err
	}
	var exported []string
	for _, parts := range exportForm.FindAllSubmatch(text, -1) {
		exported = append(exported, string(parts[2]))
	}
	text = exportForm.ReplaceAll(text, []byte("$1"))
	if exportFirst.Match(text) {
		text = exportFirst.ReplaceAll(text, []byte("${1}const byDefault = function"))
		exported = append(exported, "default: byDefault")
	}
	for _, parts := range exportList.FindAllSubmatch(text, -1) {
		for one := range strings.SplitSeq(string(parts[1]), ",") {
			own, other, renamed := strings.Cut(strings.TrimSpace(one), " as ")
			if renamed {
				own = other + ": " + own
			}
			exported = append(exported, own)
		}
	}
	text = sourceMap.ReplaceAll(exportList.ReplaceAll(text, nil), nil) // there are no maps to ask for
	if left := moduleForm.Find(text); left != nil {
		return fmt.Errorf("%s has a statement %q that is not known here", name, left)
	}
	j.done++
	j.known[name] = fmt.Sprintf("module%d", j.done)
	fmt.Fprintf(&j.out, "const %s = (() => {\n%s\nreturn { %s };\n})();\n", j.known[name], bytes.TrimSpace(text), strings.Join(exported, ", "))
	return nil
}

// resolve is the name of the module that another imports. What is no path is a vendored package.
func resolve(from, imported string) string {
	if strings.HasPrefix(imported, ".") {
		return path.Join(path.Dir(from), imported)
	}
	return "vendor/" + imported + ".mjs"
}
