package console

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestModulesAreJoinedInTheOrderOfTheirImports(t *testing.T) {
	joined, err := join(map[string][]byte{
		"app.js":         []byte("import { one, two as second } from './lib/a.js';\nimport first from './vendor/c.mjs';\nfirst(one, second);\n"),
		"lib/a.js":       []byte("import { b } from './b.js';\nexport const one = b;\nexport async function* two() {}\n"),
		"lib/b.js":       []byte("export class b {}\nconst c = 1;\nexport { c };\n"),
		"vendor/c.mjs":   []byte("var n=1;export default function(s){return n}\n//# sourceMappingURL=c.map\n"),
		"lib/nobody.mjs": []byte("export const unused = 1;"),
	}, "app.js")
	text := string(joined)
	if err != nil || !strings.HasPrefix(text, "const module1 = (() => {\nclass b {}\nconst c = 1;\nreturn { b, c };\n})();\n") || !strings.Contains(text, "const module4 = (() => {\nconst { one,") {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, part := range []string{"const { one, two: second } = module", "const { default: first } = module", "async function* two() {}\nreturn { one, two };", "const byDefault = function(s)", "return { default: byDefault };"} {
		if !strings.Contains(text, part) {
			t.Errorf("it has no %q:\n%s", part, text)
		}
	}
	if strings.Contains(text, "unused") || strings.Contains(text, "sourceMap") || strings.Index(text, "class b") > strings.Index(text, "const one") {
		t.Errorf("it has what nobody imports, or a module before what that imports:\n%s", text)
	}
}

func TestModulesThatCannotBeJoinedAreRefused(t *testing.T) {
	for name, app := range map[string]string{
		"imports itself":         "import { a } from './a.js';",
		"there is no module":     "import { a } from './b.js';",
		`statement "export"`:     "export let a = 1;",
		`statement "import"`:     "import * as a from './c.js';",
		`statement ";export " t`: "const a = 1;export function b() {}",
	} {
		_, err := join(map[string][]byte{"app.js": []byte(app), "a.js": []byte("import { b } from './app.js';\nexport const a = 1;"), "c.js": nil}, "app.js")
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v, want %s", app, err, name)
		}
	}
}

func TestFilesArePackedForWhoeverTakesThem(t *testing.T) {
	b := newBrowser(t)
	plain := thePage().files[application].plain
	for _, c := range []struct{ accepts, has string }{{"gzip, deflate, br", "gzip"}, {"br;q=1, GZIP ;q=0.5", "gzip"}, {"gzip;q=0", ""}, {"br", ""}, {"", ""}} {
		b.header = http.Header{"Accept-Encoding": {c.accepts}}
		answer := b.want(200, "GET", "-/assets/"+thePage().digest+"/"+application, "")
		if got := answer.Header.Get("Content-Encoding"); got != c.has || answer.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%q is answered with %q, %v", c.accepts, got, answer.Header)
		}
		var body io.Reader = answer.Body
		if c.has != "" {
			unpacked, err := gzip.NewReader(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			body = unpacked
		}
		if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%q: %d bytes, %v; want %d", c.accepts, len(got), err, len(plain))
		}
	}
}
